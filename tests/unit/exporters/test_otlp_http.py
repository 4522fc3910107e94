"""The HTTP exporter's own part: its section, URLs, and TLS from end to end."""

import ssl

import pytest
from aiohttp import web
from pydantic import ValidationError

from bridge.core import (
    ACCEPTED,
    Batch,
    ConfigError,
    Deadline,
    Denied,
    Origin,
    Signal,
    SystemClock,
    Unavailable,
)
from bridge.exporters.otlp_http import FACTORY, OtlpHttpOptions
from bridge.testing import make_settings, sample
from tests.unit.options.conftest import Authority

CLOCK = SystemClock()


def exporter(signals=frozenset(Signal), **keys: object):
    options = OtlpHttpOptions.model_validate({"retry_on_failure": {"enabled": False}, **keys})
    return FACTORY.create(options, make_settings("otlp_http", clock=CLOCK), signals)


def a_batch() -> Batch:
    made = sample(Signal.TRACES, 3)
    return Batch(Signal.TRACES, made.body, 3, Origin("otlp", Deadline.after(5, CLOCK)))


def test_otlp_http_defaults_are_the_collectors() -> None:
    """gzip, protobuf, 30 seconds."""
    options = OtlpHttpOptions(endpoint="http://backend:4318")

    assert (options.compression, options.encoding, options.timeout) == ("gzip", "proto", 30.0)


def test_otlp_http_urls_follow_the_signal() -> None:
    """The base gets the standard paths; a URL of its own is taken as it is."""
    options = OtlpHttpOptions(endpoint="http://b:4318/otlp/", logs_endpoint="https://logs/in")

    assert [options.url(signal) for signal in Signal] == [
        "http://b:4318/otlp/v1/traces",
        "http://b:4318/otlp/v1/metrics",
        "https://logs/in",
    ]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "endpoint is missing"),
        ({"endpoint": "backend:4318"}, "must begin with http"),
        ({"endpoint": "http://b", "timeout": "0s"}, "above 0"),
        ({"endpoint": "http://b", "encoding": "xml"}, "'proto' or 'json'"),
        ({"endpoint": "http://b", "compression": "lz4"}, "'gzip', 'zstd'"),
    ],
)
def test_otlp_http_refuses_nonsense(keys, words) -> None:
    """A wrong key is refused with what is allowed."""
    with pytest.raises(ValidationError, match=words):
        OtlpHttpOptions.model_validate(keys)


def test_otlp_http_needs_a_url_for_each_signal() -> None:
    """A pipeline whose signal has no URL is an error of the configuration."""
    with pytest.raises(ConfigError, match="logs_endpoint"):
        exporter(frozenset({Signal.LOGS}), traces_endpoint="http://b/v1/traces")


async def test_otlp_http_is_unavailable_when_not_running() -> None:
    """Before start and after stop a delivery is given back."""
    one = exporter(endpoint="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="not running"):
        await one.deliver(a_batch())
    await one.stop(Deadline.after(1, CLOCK))
    await one.start()
    with pytest.raises(Unavailable, match="no answer from"):
        await one.deliver(a_batch())
    await one.stop(Deadline.after(1, CLOCK))
    await one.stop(Deadline.after(1, CLOCK))


async def test_otlp_http_tls_from_end_to_end(tmp_path) -> None:
    """A trusted certificate is accepted; a stranger's is a denial with what to set."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    cert, key = authority.issue("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)

    async def accept(request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", accept)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://localhost:{runner.addresses[0][1]}"
    try:
        trusting = exporter(endpoint=url, tls={"ca_file": str(authority.ca_file)})
        await trusting.start()
        assert await trusting.deliver(a_batch()) is ACCEPTED
        await trusting.stop(Deadline.after(1, CLOCK))

        wary = exporter(endpoint=url, tls={"ca_file": str(stranger.ca_file)})
        await wary.start()
        with pytest.raises(Denied, match="not trusted"):
            await wary.deliver(a_batch())
        await wary.stop(Deadline.after(1, CLOCK))
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("environment", "keys", "expected"),
    [
        ({}, {}, None),
        ({"HTTP_PROXY": "http://p:1"}, {}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, {}, None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "b"}, {}, None),
        ({"HTTP_PROXY": "http://p:1"}, {"proxy_url": "http://own:2"}, "http://own:2"),
    ],
)
def test_otlp_http_proxy_comes_from_key_or_environment(
    monkeypatch, environment, keys, expected
) -> None:
    """proxy_url goes before the environment, whose exceptions are honoured."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    one = exporter(endpoint="http://b:4318", **keys)

    assert one._proxies[Signal.TRACES] == expected


async def test_otlp_http_goes_through_its_proxy() -> None:
    """With a proxy the request is sent to it, with the whole URL."""
    asked = []

    async def accept(request: web.Request) -> web.Response:
        asked.append(str(request.url))
        return web.Response()

    server = web.Server(accept)
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy = f"http://127.0.0.1:{runner.addresses[0][1]}"
    one = exporter(endpoint="http://backend.example:4318", proxy_url=proxy)
    await one.start()
    assert await one.deliver(a_batch()) is ACCEPTED
    await one.stop(Deadline.after(1, CLOCK))
    await runner.cleanup()

    assert asked == ["http://backend.example:4318/v1/traces"]
