"""The gRPC health service."""

import pytest

from bridge.core import Pending
from bridge.http2 import Call, Head, Response, message_response
from bridge.receivers.otlp.health import CHECK_PATH, WATCH_PATH, Health

SERVING, NOT_SERVING = message_response(b"\x08\x01"), message_response(b"\x08\x02")


async def check(health: Health, message: bytes) -> Response:
    """The answer of Check."""
    head = Head(b"POST", CHECK_PATH, b"", (), None)
    return await health.methods[CHECK_PATH](Call(message, head, (), 0.0, 0))


@pytest.mark.parametrize("message", [b"", b"\x0a\x00", b"\x0a\x01a"])
async def test_known_services_serve_until_the_stop(message: bytes) -> None:
    """The server itself, by no name and by the empty one, and each service."""
    health = Health(["a"])

    before = await check(health, message)
    health.stop()
    after = await check(health, message)

    assert before.body == SERVING.body
    assert after.body == NOT_SERVING.body


@pytest.mark.parametrize(
    ("message", "status"),
    [(b"\x0a\x01b", b"5"), (b"\x0a\x05a", b"3"), (b"\x12\x01a", b"3"), (b"\x0a\x01\xff", b"3")],
)
async def test_unknown_and_broken_requests_are_refused(message: bytes, status: bytes) -> None:
    """NOT_FOUND and INVALID_ARGUMENT."""
    answer = await check(Health(["a"]), message)

    assert b"grpc-status\x01" + status in answer.head


def watch(health: Health, message: bytes) -> tuple[list[Response], Pending]:
    """What a watcher is told, and the handle of its stream."""
    told: list[Response] = []
    head = Head(b"POST", WATCH_PATH, b"", (), None)
    pending = health.beginnings[WATCH_PATH](Call(message, head, (), 0.0, 0), told.append)
    assert pending is not None
    return told, pending


@pytest.mark.parametrize(("message", "first"), [(b"", 1), (b"\x0a\x01a", 1), (b"\x0a\x01x", 3)])
def test_watcher_hears_at_once_and_of_the_stop(message: bytes, first: int) -> None:
    """SERVING or SERVICE_UNKNOWN, then NOT_SERVING and the end of the stream."""
    health = Health(["a"])
    told, _ = watch(health, message)
    begun = [(part.body[5:], part.ends) for part in told]
    health.stop()
    health.stop()

    assert begun == [(bytes((8, first)), False)]
    assert [(part.body[5:], part.ends) for part in told[1:]] == [(b"\x08\x02", False), (b"", True)]


def test_watcher_that_has_gone_is_told_nothing() -> None:
    """Its stream is over."""
    health = Health(["a"])
    told, pending = watch(health, b"")
    pending.cancel()
    pending.cancel()
    health.stop()
    assert len(told) == 1


def test_watcher_of_a_stopped_server_is_told_and_sent_away() -> None:
    """It would keep the connection open, and the drain waiting."""
    health = Health(["a"])
    health.stop()
    told, pending = watch(health, b"")
    pending.cancel()
    assert [(part.body[5:], part.ends) for part in told] == [(b"\x08\x02", False), (b"", True)]


def test_watch_without_a_request_ends_at_once() -> None:
    """The status says that the bytes are no request."""
    told, _ = watch(Health(["a"]), b"\xff")
    assert [part.ends for part in told] == [True]
    assert told[0].head
