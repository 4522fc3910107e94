"""Retry, queue, headers and endpoints: what is read and what is refused."""

import pytest
from pydantic import TypeAdapter, ValidationError

from bridge.options import (
    Endpoint,
    Headers,
    RetryOnFailure,
    SendingQueue,
    parse_endpoint,
    parse_url,
    reveal_headers,
)


def test_retry_defaults_are_the_collectors() -> None:
    """The defaults equal exporterhelper's."""
    retry = RetryOnFailure()

    assert (
        retry.enabled,
        retry.initial_interval,
        retry.multiplier,
        retry.randomization_factor,
        retry.max_interval,
        retry.max_elapsed_time,
    ) == (True, 5.0, 1.5, 0.5, 30.0, 300.0)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"initial_interval": "0s"}, "above 0"),
        ({"initial_interval": "1m"}, "below initial_interval"),
        ({"max_elapsed_time": "-1s"}, "not be negative"),
        ({"multiplier": 0.5}, "greater than or equal"),
        ({"randomization_factor": 2}, "less than or equal"),
    ],
)
def test_retry_refuses_nonsense(keys, words) -> None:
    """Intervals that cannot work are refused with the reason."""
    with pytest.raises(ValidationError, match=words):
        RetryOnFailure.model_validate(keys)


def test_queue_reads_the_collectors_keys() -> None:
    """A sending_queue of an existing file is accepted, batch and all."""
    queue = SendingQueue.model_validate(
        {
            "enabled": True,
            "num_consumers": 4,
            "queue_size": 500,
            "sizer": "items",
            "block_on_overflow": True,
            "wait_for_result": False,
            "batch": {"flush_timeout": "1s", "min_size": 10, "max_size": 20, "sizer": "items"},
        }
    )

    assert queue.num_consumers == 4
    assert queue.batch is not None
    assert (queue.batch.flush_timeout, queue.batch.min_size, queue.batch.max_size) == (1.0, 10, 20)


def test_queue_refuses_storage_with_reason() -> None:
    """A persistent queue is refused, since Kafka is the durable one."""
    with pytest.raises(ValidationError, match="Kafka is the durable queue"):
        SendingQueue.model_validate({"storage": "file_storage"})


def test_queue_batch_refuses_inverted_sizes() -> None:
    """A maximum below the minimum is refused."""
    with pytest.raises(ValidationError, match="below min_size"):
        SendingQueue.model_validate({"batch": {"min_size": 10, "max_size": 5}})


@pytest.mark.parametrize(
    "written",
    [{"X-Tenant": "a", "n": 1}, [{"name": "X-Tenant", "value": "a"}, {"name": "n", "value": "1"}]],
)
def test_headers_are_read_in_both_forms(written) -> None:
    """A map and a list of pairs give the same headers, lower case when sent."""
    headers = TypeAdapter(Headers).validate_python(written)

    assert reveal_headers(headers) == {"x-tenant": "a", "n": "1"}


def test_header_values_do_not_show() -> None:
    """Header values are secrets."""
    headers = TypeAdapter(Headers).validate_python({"authorization": "Bearer CANARY"})

    assert "CANARY" not in repr(headers)


@pytest.mark.parametrize("written", [{"bad name": "x"}, {"x": "a\nb"}, {"x": "ü"}])
def test_headers_refuse_what_cannot_be_sent(written) -> None:
    """Names and values that would corrupt a request are refused."""
    with pytest.raises(ValidationError):
        TypeAdapter(Headers).validate_python(written)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("backend:4317", Endpoint("backend", 4317)),
        (":4317", Endpoint("", 4317)),
        ("0.0.0.0:0", Endpoint("0.0.0.0", 0)),
        ("[::1]:4317", Endpoint("::1", 4317)),
        ("http://backend:4317", Endpoint("backend", 4317, False)),
        ("https://backend:4317/", Endpoint("backend", 4317, True)),
        ("dns:///backend:4317", Endpoint("backend", 4317)),
        ("unix:///run/otel.sock", Endpoint("", 0, None, "/run/otel.sock")),
    ],
)
def test_endpoint_is_read(text, expected) -> None:
    """Every spelling that the Collector takes is understood."""
    assert expected == parse_endpoint(text)


def test_endpoint_takes_default_port() -> None:
    """A port may be left out where one is known."""
    assert Endpoint("backend", 443, True) == parse_endpoint("https://backend", 443)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("backend", "port is missing"),
        ("backend:http", "no port number"),
        ("backend:99999", "not between"),
        ("::1:4317", "brackets"),
        ("[::1:4317", "IPv6"),
        ("ftp://backend:21", "unknown scheme"),
        ("backend:4317/v1/traces", "no endpoint"),
    ],
)
def test_endpoint_refuses_nonsense(text, words) -> None:
    """A wrong endpoint is refused with what to write."""
    with pytest.raises(ValueError, match=words):
        parse_endpoint(text)


def test_endpoint_shows_as_written() -> None:
    """An endpoint renders in a form that can be pasted."""
    assert [str(parse_endpoint(text)) for text in ("a:1", "[::1]:1", "unix:///s")] == [
        "a:1",
        "[::1]:1",
        "unix:///s",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("backend:4318", "must begin with http"),
        ("http://", "no host"),
        ("http://user:secret@backend", "credentials"),
        ("http://backend:x", "Port"),
    ],
)
def test_url_refuses_nonsense(text, words) -> None:
    """A URL needs a scheme and a host and holds no password."""
    with pytest.raises(ValueError, match=words):
        parse_url(text)


def test_url_loses_trailing_slash() -> None:
    """Paths can be appended to what is given back."""
    assert parse_url("http://backend:4318/otlp/") == "http://backend:4318/otlp"
