"""The gRPC health service."""

import pytest

from bridge.http2 import Call, Head, Response, message_response
from bridge.receivers.otlp.health import CHECK_PATH, Health

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
