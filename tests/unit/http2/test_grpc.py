"""Messages, statuses and deadlines of gRPC calls."""

import gzip
from collections.abc import Awaitable, Callable

import pytest
import zstandard
from hpack import Decoder

from bridge.flow import ByteBudget
from bridge.http2 import (
    Call,
    Code,
    GrpcHandler,
    Http2Limits,
    Response,
    Stream,
    message_response,
    status_response,
)
from bridge.http2.state import ConnectionState
from bridge.testing import ManualClock
from tests.unit.http2.wire import OPENING, data, headers, read

GRPC = (b"content-type", b"application/grpc")
PATH = b"/a/B"


class Fixture:
    """A connection in front of one method that echoes."""

    def __init__(self, method: Callable[[Call], Awaitable[Response]] | None = None) -> None:
        self.calls: list[Call] = []
        self.clock = ManualClock()
        self.budget = ByteBudget(10_000, retry_after_s=2.0)
        self.handler = GrpcHandler(
            {PATH: method or self.echo},
            clock=self.clock,
            budget=self.budget,
            message_bytes_max=1_000,
            answer_s=4.0,
        )
        self.state = ConnectionState(self.handler, Http2Limits(), 0.0)
        self.state.receive(OPENING)
        read(self.state)

    async def echo(self, call: Call) -> Response:
        """Answer with the message."""
        self.calls.append(call)
        return message_response(call.message)

    async def send(self, *frames: bytes) -> dict[str, str]:
        """The fields of the answer's last block, with `body` and `status`."""
        for stream in self.state.receive(b"".join(frames)):
            self.state.respond(stream, await self.handler.handle(stream))
            self.handler.release(stream)
        for stream in self.state.dropped:
            self.handler.release(stream)
        answer: dict[str, str] = {}
        decoder = Decoder()
        for sent in read(self.state):
            if sent.kind == 1:
                answer |= {
                    name.decode(): value.decode()
                    for name, value in decoder.decode(sent.payload, raw=True)
                }
            elif sent.kind == 0:
                answer["body"] = sent.payload.decode("latin-1")
        return answer


def message(body: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """A length-prefixed message."""
    size = len(body) if length is None else length
    return bytes((compressed,)) + size.to_bytes(4, "big") + body


async def test_call_is_answered_with_its_message() -> None:
    """Status 200, the message, grpc-status 0."""
    fixture = Fixture()

    answer = await fixture.send(headers(1, GRPC), data(1, message(b"hi"), end=True))

    assert answer[":status"] == "200"
    assert answer["content-type"] == "application/grpc"
    assert answer["body"] == "\0\0\0\0\2hi"
    assert answer["grpc-status"] == "0"
    assert fixture.budget.used_bytes == 0


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [(b"gzip", gzip.compress), (b"zstd", zstandard.ZstdCompressor().compress)],
)
async def test_compressed_message_is_undone(
    encoding: bytes, compress: Callable[[bytes], bytes]
) -> None:
    """Both encodings are taken, and a message that is not compressed beside them."""
    fixture = Fixture()
    fields = (GRPC, (b"grpc-encoding", encoding))

    await fixture.send(
        headers(1, *fields), data(1, message(compress(b"hi"), compressed=1), end=True)
    )
    await fixture.send(headers(3, *fields), data(3, message(b"plain"), end=True))

    assert [call.message for call in fixture.calls] == [b"hi", b"plain"]
    assert fixture.budget.used_bytes == 0


@pytest.mark.parametrize(
    "frames",
    [
        (headers(1, GRPC, flags=5),),
        (headers(1, GRPC), data(1, b"\0\0", end=True)),
        (headers(1, GRPC), data(1, message(b"hi", length=3), end=True)),
        (headers(1, GRPC), data(1, message(b"hi", length=1), end=True)),
        (headers(1, GRPC), data(1, message(b"hi", compressed=2), end=True)),
        (headers(1, GRPC), data(1, message(b"hi", compressed=1), end=True)),
        (
            headers(1, GRPC, (b"grpc-encoding", b"gzip")),
            data(1, message(b"hi", compressed=1), end=True),
        ),
    ],
    ids=["none", "prefix", "short", "long", "flag", "no-encoding", "no-gzip"],
)
async def test_broken_message_is_an_invalid_argument(frames: tuple[bytes, ...]) -> None:
    """The sender hears that its bytes are wrong, and nothing stays charged."""
    fixture = Fixture()

    answer = await fixture.send(*frames)

    assert str(int(Code.INVALID_ARGUMENT)) == answer["grpc-status"]
    assert fixture.budget.used_bytes == 0
    assert fixture.calls == []


async def test_message_too_large_is_refused_by_its_prefix() -> None:
    """RESOURCE_EXHAUSTED after five bytes; nothing was charged or waited for."""
    fixture = Fixture()

    answer = await fixture.send(headers(1, GRPC), data(1, b"\0\xff\xff\xff\xff"))

    assert str(int(Code.RESOURCE_EXHAUSTED)) == answer["grpc-status"]
    assert "4294967295" in answer["grpc-message"]
    assert fixture.budget.used_bytes == 0


async def test_message_too_large_when_decompressed_is_refused() -> None:
    """The same limit holds for what compression hides."""
    fixture = Fixture()

    answer = await fixture.send(
        headers(1, GRPC, (b"grpc-encoding", b"gzip")),
        data(1, message(gzip.compress(bytes(1_001)), compressed=1), end=True),
    )

    assert str(int(Code.RESOURCE_EXHAUSTED)) == answer["grpc-status"]


async def test_budget_used_up_is_unavailable() -> None:
    """The sender shall come back."""
    fixture = Fixture()
    fixture.budget.acquire(9_500)

    answer = await fixture.send(headers(1, GRPC), data(1, message(b"x" * 600)))

    assert str(int(Code.UNAVAILABLE)) == answer["grpc-status"]
    assert fixture.budget.used_bytes == 9_500


async def test_budget_holds_what_is_in_flight() -> None:
    """The declared length is charged with the prefix and given back when the stream is gone."""
    fixture = Fixture()

    await fixture.send(headers(1, GRPC), data(1, message(b"x", length=600)))
    held = fixture.budget.used_bytes
    await fixture.send(b"\0\0\4\3\0\0\0\0\1\0\0\0\x08")

    assert held == 600
    assert fixture.budget.used_bytes == 0


@pytest.mark.parametrize(
    ("fields", "path", "status"),
    [
        ((GRPC,), b"/a/C", "12"),
        ((GRPC, (b"grpc-encoding", b"snappy")), PATH, "12"),
        (((b"content-type", b"application/grpc+json"),), PATH, None),
        (((b"content-type", b"application/json"),), PATH, None),
        ((), PATH, None),
    ],
    ids=["method", "encoding", "json", "http", "nothing"],
)
async def test_call_that_is_none_of_ours_is_refused(
    fields: tuple[tuple[bytes, bytes], ...], path: bytes, status: str | None
) -> None:
    """UNIMPLEMENTED for methods and encodings, HTTP 415 for what is no gRPC."""
    fixture = Fixture()
    fixture.handler._methods = {} if path != PATH else fixture.handler._methods

    answer = await fixture.send(headers(1, *fields), data(1, message(b"hi"), end=True))

    assert status == answer.get("grpc-status")
    assert ("200" if status else "415") == answer[":status"]
    if status:
        assert answer["grpc-accept-encoding"] == "identity,gzip,zstd"


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (b"1S", 1.0),
        (b"250m", 0.25),
        (b"2H", 4.0),
        (b"100u", 1e-4),
        (b"99999999n", 0.099999999),
        (b"soon", 4.0),
        (b"123456789S", 4.0),
        (b"", 4.0),
    ],
)
async def test_deadline_is_the_sooner_one(timeout: bytes, seconds: float) -> None:
    """The client's timeout counts if it is shorter than ours; a broken one does not."""
    fixture = Fixture()

    await fixture.send(
        headers(1, GRPC, (b"grpc-timeout", timeout)), data(1, message(b"hi"), end=True)
    )

    assert pytest.approx(seconds) == fixture.calls[0].deadline_at - fixture.clock.monotonic()


def test_status_message_is_percent_encoded_and_bounded() -> None:
    """Any text makes a valid header of limited length."""
    response = status_response(Code.UNAVAILABLE, "käse %\n" + "x" * 5_000)

    fields = dict(Decoder().decode(response.head, raw=True))

    assert fields[b"grpc-message"].startswith(b"k%C3%A4se %25%0A")
    assert len(fields[b"grpc-message"]) < 1_100


async def test_guard_refuses_before_the_body() -> None:
    """Who may not send is told so without a byte being charged."""
    fixture = Fixture()
    seen: list[Stream] = []

    def guard(stream: Stream) -> Response:
        seen.append(stream)
        return status_response(Code.UNAUTHENTICATED, "who are you")

    fixture.handler._guard = guard
    answer = await fixture.send(headers(1, GRPC), data(1, message(b"hi"), end=True))

    assert answer["grpc-status"] == "16"
    assert len(seen) == 1
    assert fixture.calls == []
