"""Tasks, timeouts and the ways a connection ends."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from structlog.testing import capture_logs

from bridge.core import SETTLED, Pending
from bridge.http2 import Http2Limits, Http2Protocol, QuietLog, Response, Server, Stream, Timeouts
from bridge.http2.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    ErrorCode,
    frame,
    rst_stream,
)
from bridge.testing import ManualClock, settle
from tests.unit.http2.transport import FakeTransport
from tests.unit.http2.wire import OK, OPENING, REFUSED, FakeGate, Frame, data, headers, parse

ENDED = END_HEADERS | END_STREAM
Answer = Callable[[Stream, Response], None]
EXPIRED = Response.of_fields(((b":status", b"200"), (b"grpc-status", b"4")))


class FakeHandler(FakeGate):
    """Answers when it is let."""

    failure = REFUSED
    expired = EXPIRED

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.called = asyncio.Event()
        self.released: list[int] = []
        self.error: Exception | None = None
        self.deadline_at: float | None = None
        self.cancelled = 0
        self.begins: Callable[[int], Pending | None] | None = None
        self.answers: dict[int, Callable[[Response], None]] = {}

    def begin(self, stream: Stream, answer: Answer) -> Pending | None:
        """Leave it to a task, or note how to answer."""
        self.answers[stream.id] = partial(answer, stream)
        if self.begins is None:
            return None
        stream.deadline_at = self.deadline_at
        return self.begins(stream.id)

    async def handle(self, stream: Stream) -> Response:
        """Wait until `open`, then answer or fail."""
        stream.deadline_at = self.deadline_at
        self.called.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return OK

    def release(self, stream: Stream) -> None:
        """Note it."""
        self.released.append(stream.id)


class Fixture:
    """A connection on a fake socket."""

    def __init__(self, timeouts: Timeouts, connections_max: int = 10) -> None:
        self.clock = ManualClock()
        self.handler = FakeHandler()
        self.reasons: Counter[str] = Counter()
        self.server = Server(
            lambda server: Http2Protocol(server, self.handler, Http2Limits()),
            self.clock,
            timeouts,
            connections_max=connections_max,
            count_closed=lambda reason: self.reasons.update((reason,)),
            log=QuietLog(self.clock),
        )
        self.protocol, self.transport = self.open()

    def open(self) -> tuple[Http2Protocol, FakeTransport]:
        """One more connection."""
        protocol = Http2Protocol(self.server, self.handler, Http2Limits())
        transport = FakeTransport()
        protocol.connection_made(transport)  # type: ignore[arg-type]  # the methods are there
        return protocol, transport

    async def receive(self, sent: bytes) -> list[Frame]:
        """Give *sent* to the connection and read what it writes, its opening left out."""
        self.protocol.data_received(sent)
        await settle()
        return [each for each in parse(self.transport.take()) if each.kind not in (4, 8)]

    async def advance(self, seconds: float) -> list[Frame]:
        """Let time pass and the server look at its connections; what was written."""
        await self.clock.advance(seconds)
        self.server.tick()
        await settle()
        return parse(self.transport.take())

    def lose(self) -> None:
        """The socket is gone."""
        self.protocol.connection_lost(None)


@pytest.fixture
async def fixture() -> AsyncIterator[Fixture]:
    """A connection whose opening is over."""
    fixture = Fixture(Timeouts(age_s=1_000.0, age_grace_s=5.0))
    await fixture.receive(OPENING)
    yield fixture
    fixture.handler.open.set()
    await settle()


async def test_requests_are_answered_out_of_order_as_they_finish(fixture: Fixture) -> None:
    """Each request has a task; answers are written when they are ready."""
    nothing = await fixture.receive(headers(1, flags=ENDED) + headers(3, flags=ENDED))
    tasks = len(fixture.protocol.tasks)

    fixture.handler.open.set()
    sent = await fixture.receive(b"")

    assert nothing == []
    assert tasks == 2
    assert {1, 3} == {each.stream_id for each in sent}
    assert set() == fixture.protocol.tasks
    assert fixture.handler.released == [1, 3]


class Waiting:
    """A pending answer that notes its cancellation."""

    def __init__(self) -> None:
        self.cancels = 0

    def cancel(self) -> None:
        """Note it."""
        self.cancels += 1


async def test_requests_that_begin_are_answered_without_tasks(fixture: Fixture) -> None:
    """Answers come by calls, in any order, and what was charged is given back once each."""
    fixture.handler.begins = lambda stream_id: Waiting()
    nothing = await fixture.receive(headers(1, flags=ENDED) + headers(3, flags=ENDED))
    tasks = len(fixture.protocol.tasks)

    fixture.handler.answers[3](OK)
    fixture.handler.answers[1](OK)
    sent = await fixture.receive(b"")

    assert nothing == []
    assert tasks == 0
    assert list(dict.fromkeys(each.stream_id for each in sent)) == [3, 1]
    assert fixture.handler.released == [3, 1]


async def test_request_answered_while_it_begins_is_written(fixture: Fixture) -> None:
    """Nothing has to wait for an answer that is there at once."""

    def begin(stream_id: int) -> Pending:
        fixture.handler.answers[stream_id](OK)
        return SETTLED

    fixture.handler.begins = begin

    sent = await fixture.receive(headers(1, flags=ENDED))

    assert {1} == {each.stream_id for each in sent}


async def test_request_reset_while_it_is_pending_is_cancelled(fixture: Fixture) -> None:
    """Its charge is given back; an answer that comes nevertheless goes nowhere."""
    waiting = Waiting()
    fixture.handler.begins = lambda stream_id: waiting
    await fixture.receive(headers(1, flags=ENDED))

    await fixture.receive(rst_stream(1, ErrorCode.CANCEL))
    fixture.handler.answers[1](OK)
    sent = await fixture.receive(b"")

    assert waiting.cancels == 1
    assert 1 in fixture.handler.released
    assert sent == []


async def test_request_pending_past_its_deadline_is_answered(fixture: Fixture) -> None:
    """The protocol answers over the head of whoever is late, as it does for tasks."""
    waiting = Waiting()
    fixture.handler.begins = lambda stream_id: waiting
    fixture.handler.deadline_at = fixture.clock.monotonic() + 4.0
    await fixture.receive(headers(1, flags=ENDED))

    sent = await fixture.advance(4.1)

    assert EXPIRED.head == sent[0].payload
    assert waiting.cancels == 1


async def test_answer_in_parts_past_its_deadline_is_broken_off(fixture: Fixture) -> None:
    """Its head is out: another one would be none, so the stream is reset, and the rest unsaid."""
    waiting = Waiting()
    fixture.handler.begins = lambda stream_id: waiting
    fixture.handler.deadline_at = fixture.clock.monotonic() + 4.0
    await fixture.receive(headers(1, flags=ENDED))
    fixture.handler.answers[1](Response(b"\x88", b"one", ends=False))
    await settle()
    fixture.transport.written = b""

    sent = await fixture.advance(4.1)
    fixture.handler.answers[1](Response(b"", b"two", ends=False))
    await settle()

    assert [each.kind for each in sent] == [RST_STREAM]
    assert waiting.cancels == 1
    assert not fixture.transport.closed


async def test_request_that_fails_to_begin_is_answered(fixture: Fixture) -> None:
    """A fault of ours costs one answer, not the connection."""
    fixture.handler.begins = lambda stream_id: Waiting() if 1 // (stream_id - 1) else None

    with capture_logs() as lines:
        sent = await fixture.receive(headers(1, flags=ENDED) + headers(3, flags=ENDED))

    assert REFUSED.head == sent[0].payload
    assert [line["event"] for line in lines if line["event"] == "request_failed"]
    assert not fixture.transport.closed


async def test_answer_that_cannot_be_written_ends_its_connection(fixture: Fixture) -> None:
    """Whoever answers is not troubled by a fault in one connection."""
    fixture.handler.begins = lambda stream_id: Waiting()
    await fixture.receive(headers(1, flags=ENDED))

    with capture_logs() as lines:
        fixture.handler.answers[1](None)  # type: ignore[arg-type]  # a fault

    assert fixture.transport.aborted
    assert [line["event"] for line in lines] == ["connection_failed"]


async def test_request_reset_by_the_peer_is_cancelled(fixture: Fixture) -> None:
    """Its task ends, its charge is given back, and nothing is answered."""
    await fixture.receive(headers(1, flags=ENDED))

    sent = await fixture.receive(rst_stream(1, ErrorCode.CANCEL))

    assert fixture.handler.cancelled == 1
    assert sent == []
    assert 1 in fixture.handler.released
    assert set() == fixture.protocol.tasks


async def test_request_reset_before_its_task_ran_is_released(fixture: Fixture) -> None:
    """A task that never began cannot clean up after itself."""
    await fixture.receive(headers(1, flags=ENDED) + rst_stream(1, ErrorCode.CANCEL))

    assert fixture.handler.released == [1]
    assert set() == fixture.protocol.tasks


async def test_connection_lost_cancels_its_requests(fixture: Fixture) -> None:
    """Nobody waits for the answers any more."""
    await fixture.receive(headers(1, flags=ENDED) + headers(3) + data(3, b"half"))

    fixture.lose()
    await settle()

    assert fixture.handler.cancelled == 1
    assert {1, 3} == set(fixture.handler.released)
    assert Counter(peer=1) == fixture.reasons
    assert set() == fixture.server.connections


async def test_handler_that_fails_is_answered_and_logged(fixture: Fixture) -> None:
    """A fault of ours costs one answer, not the connection."""
    fixture.handler.error = RuntimeError("ours")
    fixture.handler.open.set()

    with capture_logs() as lines:
        sent = await fixture.receive(headers(1, flags=ENDED))

    assert REFUSED.head == sent[0].payload
    assert [line["event"] for line in lines] == ["request_failed"]
    assert not fixture.transport.closed


async def test_gate_that_fails_ends_its_connection_only(fixture: Fixture) -> None:
    """An exception while reading closes that connection; others do not notice."""
    other, other_transport = fixture.open()
    fixture.handler.admit = lambda stream: 1 // 0  # type: ignore[assignment, method-assign, return-value]  # fails

    with capture_logs() as lines:
        await fixture.receive(headers(1, flags=ENDED))

    assert fixture.transport.aborted
    assert not other_transport.closed
    assert [line["event"] for line in lines] == ["connection_failed"]
    other.connection_lost(None)


async def test_deadline_passed_is_answered_for_the_handler(fixture: Fixture) -> None:
    """Whoever does not answer in time is cancelled; the peer hears it."""
    fixture.handler.deadline_at = fixture.clock.monotonic() + 4.0
    await fixture.receive(headers(1, flags=ENDED))

    early = await fixture.advance(3.9)
    sent = await fixture.advance(0.2)

    assert early == []
    assert EXPIRED.head == sent[0].payload
    assert fixture.handler.cancelled == 1


async def test_head_that_does_not_come_ends_the_connection() -> None:
    """Whoever connects and says nothing is let go after ten seconds."""
    fixture = Fixture(Timeouts(head_s=10.0))
    await fixture.advance(0)

    await fixture.advance(9.9)
    early = fixture.transport.closed
    await fixture.advance(0.2)

    assert not early
    assert fixture.transport.closed


async def test_body_that_trickles_is_reset(fixture: Fixture) -> None:
    """A byte now and then is no progress; a body that moves on is left alone."""
    await fixture.receive(headers(1) + headers(3))

    for _ in range(30):
        await fixture.receive(data(1, b"x") + data(3, b"x" * 200))
        sent = await fixture.advance(1.0)

    assert [(each.kind, each.stream_id, each.code) for each in sent] == [
        (RST_STREAM, 1, ErrorCode.CANCEL)
    ]
    assert fixture.handler.released == [1]


async def test_peer_that_does_not_read_is_let_go(fixture: Fixture) -> None:
    """Nothing is read from it meanwhile, and after the timeout it is closed."""
    fixture.protocol.pause_writing()
    paused = not fixture.transport.reading

    await fixture.advance(29.0)
    early = fixture.transport.aborted
    await fixture.advance(1.1)

    assert paused
    assert not early
    assert fixture.transport.aborted


async def test_peer_that_reads_again_is_read_again(fixture: Fixture) -> None:
    """Back pressure ends where it began."""
    fixture.protocol.pause_writing()
    fixture.protocol.resume_writing()
    await fixture.advance(60.0)

    assert fixture.transport.reading
    assert not fixture.transport.aborted


async def test_idle_connection_is_closed_with_goaway(fixture: Fixture) -> None:
    """Without requests for long enough, the peer is told and the connection ends."""
    sent = await fixture.advance(75.0)
    assert [each.kind for each in sent] == [GOAWAY, PING]
    await fixture.receive(frame(PING, ACK, 0, sent[1].payload))

    assert fixture.transport.closed
    fixture.lose()
    assert Counter(idle=1) == fixture.reasons


async def test_connection_with_requests_is_not_idle(fixture: Fixture) -> None:
    """Time counts from the last request's end."""
    await fixture.receive(headers(1, flags=ENDED))
    await fixture.advance(100.0)
    fixture.handler.open.set()
    await fixture.receive(b"")

    sent = await fixture.advance(74.0)

    assert sent == []
    assert not fixture.transport.closed


async def test_old_connection_finishes_what_is_on_its_way(fixture: Fixture) -> None:
    """GOAWAY first, then the requests that crossed it are taken, then the rest is refused."""
    await fixture.receive(headers(1, flags=ENDED))
    goodbye = await fixture.advance(1_100.0)

    await fixture.receive(headers(3, flags=ENDED))
    await fixture.receive(frame(PING, ACK, 0, goodbye[1].payload))
    refused = await fixture.receive(headers(5, flags=ENDED))
    early = fixture.transport.closed
    fixture.handler.open.set()
    answered = await fixture.receive(b"")

    assert [each.kind for each in goodbye] == [GOAWAY, PING]
    assert [(each.stream_id, each.code) for each in refused] == [(5, ErrorCode.REFUSED_STREAM)]
    assert not early
    assert {1, 3} == {each.stream_id for each in answered if each.kind == HEADERS}
    assert fixture.transport.closed


async def test_old_connection_ends_after_its_grace(fixture: Fixture) -> None:
    """Requests that do not finish are answered for and cancelled."""
    await fixture.receive(headers(1, flags=ENDED))
    await fixture.advance(1_100.0)

    sent = await fixture.advance(5.1)

    assert EXPIRED.head in [each.payload for each in sent]
    assert fixture.transport.closed
    assert fixture.handler.cancelled == 1


async def test_silent_connection_is_pinged_and_closed() -> None:
    """A peer that does not answer a PING in time is gone."""
    fixture = Fixture(Timeouts(ping_s=30.0, ping_ack_s=20.0, age_s=1e6))
    await fixture.receive(OPENING + headers(1))
    await fixture.receive(data(1, b"x" * 5_000))

    sent = await fixture.advance(29.9)
    assert sent == []
    sent = await fixture.advance(0.2)
    await fixture.advance(20.1)

    assert [each.kind for each in sent] == [PING]
    assert fixture.transport.closed


async def test_fault_is_told_logged_and_closed(fixture: Fixture) -> None:
    """A broken peer gets GOAWAY and leaves one line."""
    with capture_logs() as lines:
        sent = await fixture.receive(frame(PING, 0, 1, b"12345678"))

    assert [each.kind for each in sent] == [GOAWAY]
    assert [line["event"] for line in lines] == ["http2_protocol_error"]
    assert fixture.transport.closed


async def test_http1_client_is_told_where_to_go() -> None:
    """Whoever sends HTTP/1 to the gRPC port reads a sentence, not frames."""
    fixture = Fixture(Timeouts())

    fixture.protocol.data_received(b"POST /v1/traces HTTP/1.1\r\n\r\n")
    await settle()

    assert fixture.transport.take().startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert fixture.transport.closed


async def test_connection_beyond_the_limit_is_closed() -> None:
    """The connections that exist are not disturbed."""
    fixture = Fixture(Timeouts(), connections_max=1)

    protocol, transport = fixture.open()
    protocol.connection_lost(None)

    assert transport.aborted
    assert not fixture.transport.closed
    assert Counter(refused=1) == fixture.reasons
    assert {fixture.protocol} == fixture.server.connections
