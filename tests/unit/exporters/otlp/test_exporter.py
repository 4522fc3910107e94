"""The gRPC exporter's own part: reading answers, credentials, TLS from end to end."""

import gzip
import struct

import grpc
import pytest

from bridge.core import (
    ACCEPTED,
    Batch,
    ComponentId,
    ConfigError,
    Deadline,
    Denied,
    Origin,
    Receipt,
    Refused,
    Signal,
    SystemClock,
    Unavailable,
)
from bridge.exporters.otlp import FACTORY, OtlpExporter, OtlpOptions
from bridge.exporters.otlp.connection import Answer
from bridge.exporters.otlp.exporter import read_answer
from bridge.testing import FakeHost, make_settings, sample
from bridge.testing.backend import Backend
from tests.unit.options.conftest import Authority

CLOCK = SystemClock()


def a_batch() -> Batch:
    made = sample(Signal.TRACES, 3)
    return Batch(Signal.TRACES, made.body, 3, Origin("otlp", Deadline.after(5, CLOCK)))


def exporter(host: FakeHost | None = None, **keys: object) -> OtlpExporter:
    settings = make_settings("otlp", clock=CLOCK, host=host)
    options = OtlpOptions.model_validate({"retry_on_failure": {"enabled": False}, **keys})
    return FACTORY.create(options, settings, frozenset(Signal))


def answer(body: bytes = b"", **trailers: str) -> Answer:
    found = Answer({b":status": b"200"}, {}, bytearray(body))
    found.trailers = {
        key.replace("_", "-").encode(): value.encode() for key, value in trailers.items()
    }
    return found


def test_answer_of_trailers_only_is_read() -> None:
    """An error without a message comes in the headers alone."""
    only = Answer({b":status": b"200", b"grpc-status": b"14", b"grpc-message": b"not%20now"})

    with pytest.raises(Unavailable, match="not now"):
        read_answer(only, "backend")


def test_answer_with_compressed_message_is_read() -> None:
    """Servers may answer with the request's compression."""
    partial = b"\x0a\x06\x08\x02\x12\x02no"
    packed = gzip.compress(partial)
    found = answer(struct.pack(">?I", True, len(packed)) + packed, grpc_status="0")
    found.headers[b"grpc-encoding"] = b"gzip"

    assert read_answer(found, "backend") == Receipt(2, "no")


@pytest.mark.parametrize("body", [b"", b"\0\0\0\0\0", b"\0\0"])
def test_answer_without_message_is_a_success(body) -> None:
    """OK is OK, even if the message is missing."""
    assert read_answer(answer(body, grpc_status="0"), "backend") is ACCEPTED


@pytest.mark.parametrize(
    ("status", "kind"), [("503", Unavailable), ("401", Denied), ("404", Refused), ("200", Refused)]
)
def test_answer_that_is_no_grpc_is_judged_by_its_http_status(status, kind) -> None:
    """A proxy's answer is not mistaken for one of the backend."""
    proxy = Answer({b":status": status.encode(), b"content-type": b"text/html"})

    with pytest.raises(kind, match="is this an OTLP/gRPC endpoint"):
        read_answer(proxy, "backend")


def test_answer_with_strange_status_is_refused() -> None:
    """A status that is no number counts as UNKNOWN."""
    with pytest.raises(Refused, match="UNKNOWN"):
        read_answer(answer(grpc_status="many", grpc_status_details_bin="%%"), "backend")


async def test_exporter_that_is_not_running_is_unavailable() -> None:
    """Before start and after stop a delivery is given back."""
    one = exporter(endpoint="127.0.0.1:9", tls={"insecure": True})
    with pytest.raises(Unavailable, match="not running"):
        await one.deliver(a_batch())
    await one.stop(Deadline.after(1, CLOCK))
    await one.start()
    await one.stop(Deadline.after(1, CLOCK))
    await one.stop(Deadline.after(1, CLOCK))

    with pytest.raises(Unavailable, match="not running"):
        await one.deliver(a_batch())


class Token:
    """An authenticator extension."""

    def request_headers(self) -> dict[str, str]:
        return {"Authorization": "Bearer abc"}


async def test_authenticator_adds_its_headers() -> None:
    """Credentials of an extension travel with each request."""
    host = FakeHost(extensions={ComponentId("token"): Token()})  # type: ignore[dict-item]
    async with Backend() as backend:
        one = exporter(
            host,
            endpoint=backend.grpc_endpoint,
            tls={"insecure": True},
            auth={"authenticator": "token"},
        )
        await one.start()
        await one.deliver(a_batch())
        await one.stop(Deadline.after(1, CLOCK))

        assert backend.book.bodies[0].metadata["authorization"] == "Bearer abc"


async def test_extension_that_cannot_authenticate_is_refused() -> None:
    """Another kind of extension, or none, fails the start."""
    host = FakeHost(extensions={ComponentId("token"): object()})  # type: ignore[dict-item]
    keys = {"endpoint": "127.0.0.1:9", "auth": {"authenticator": "token"}}

    with pytest.raises(ConfigError, match="cannot authenticate"):
        await exporter(host, **keys).start()
    with pytest.raises(ConfigError, match="no extension"):
        await exporter(**keys).start()


async def test_wrong_tls_file_fails_the_start(tmp_path) -> None:
    """A certificate that cannot be read is told at start."""
    with pytest.raises(ConfigError, match="no such file"):
        await exporter(
            endpoint="127.0.0.1:9", tls={"ca_file": str(tmp_path / "missing.pem")}
        ).start()


async def test_tls_from_end_to_end(tmp_path) -> None:
    """A grpc server with a certificate of ours is reached; with one of a stranger it is not."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    cert, key = authority.issue("server")
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())])
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Accepting(),))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        keys = {"endpoint": f"localhost:{port}"}
        trusting = exporter(**keys, tls={"ca_file": str(authority.ca_file)})
        await trusting.start()
        assert await trusting.deliver(a_batch()) is ACCEPTED
        await trusting.stop(Deadline.after(1, CLOCK))

        wary = exporter(**keys, tls={"ca_file": str(stranger.ca_file)})
        await wary.start()
        with pytest.raises(Denied, match="not trusted") as caught:
            await wary.deliver(a_batch())
        assert "tls.ca_file" in caught.value.hint
        await wary.stop(Deadline.after(1, CLOCK))
    finally:
        await server.stop(0)


class Accepting(grpc.GenericRpcHandler):
    """Takes everything."""

    def service(self, details):
        async def export(body: bytes, context: object) -> bytes:
            return b""

        return grpc.unary_unary_rpc_method_handler(export)
