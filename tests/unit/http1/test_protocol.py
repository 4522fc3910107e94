"""Tasks, timeouts and the ways a connection ends."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from bridge.core import SETTLED, Pending
from bridge.http1 import Http1Limits, Http1Protocol
from bridge.http2 import QuietLog, Server, Timeouts
from bridge.testing import ManualClock, settle
from tests.unit.http1.gate import OK, FakeHandler, chunked, post, statuses
from tests.unit.http2.transport import FakeTransport


class Fixture:
    """A connection on a fake socket."""

    def __init__(self, timeouts: Timeouts) -> None:
        self.clock = ManualClock()
        self.handler = FakeHandler()
        self.reasons: Counter[str] = Counter()
        self.server = Server(
            lambda server: Http1Protocol(server, self.handler, Http1Limits()),
            self.clock,
            timeouts,
            connections_max=10,
            count_closed=lambda reason: self.reasons.update((reason,)),
            log=QuietLog(self.clock),
        )
        self.protocol = Http1Protocol(self.server, self.handler, Http1Limits())
        self.transport = FakeTransport()
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]  # the methods are there

    async def receive(self, sent: bytes) -> bytes:
        """Give *sent* to the connection and read what it writes."""
        self.protocol.data_received(sent)
        await settle()
        return self.transport.take()

    async def advance(self, seconds: float) -> bytes:
        """Let time pass and the server look at its connections; what was written."""
        await self.clock.advance(seconds)
        self.server.tick()
        await settle()
        return self.transport.take()


@pytest.fixture
async def fixture() -> AsyncIterator[Fixture]:
    """A connection that is open for a long time."""
    fixture = Fixture(Timeouts(age_s=10_000.0))
    yield fixture
    fixture.handler.open.set()
    await settle()


async def test_requests_are_served_one_at_a_time(fixture: Fixture) -> None:
    """The next one begins when the one before it is answered."""
    nothing = await fixture.receive(post(b"one") + post(b"two"))
    begun = len(fixture.handler.bodies)
    reading = fixture.transport.reading

    fixture.handler.open.set()
    await settle()

    assert nothing == b""
    assert begun == 1
    assert not reading
    assert statuses(fixture.transport.take()) == [200, 200]
    assert fixture.transport.reading
    assert len(fixture.handler.released) == 2
    assert fixture.protocol.tasks == set()


class Waiting:
    """A pending answer that notes its cancellation."""

    def __init__(self) -> None:
        self.cancels = 0

    def cancel(self) -> None:
        """Note it."""
        self.cancels += 1


async def test_requests_that_begin_are_served_one_at_a_time(fixture: Fixture) -> None:
    """Each answer lets the next one begin, without any task."""
    fixture.handler.begins = Waiting
    await fixture.receive(post(b"one") + post(b"two"))
    begun = list(fixture.handler.bodies)

    fixture.handler.answers[0](OK)
    first = await fixture.receive(b"")
    fixture.handler.answers[1](OK)
    second = await fixture.receive(b"")

    assert begun == [b"one"]
    assert fixture.handler.bodies == [b"one", b"two"]
    assert (statuses(first), statuses(second)) == ([200], [200])
    assert len(fixture.handler.released) == 2
    assert fixture.protocol.tasks == set()


async def test_many_answers_at_once_do_not_nest(fixture: Fixture) -> None:
    """Pipelined requests that are answered while they begin are a loop, not a recursion."""
    depth = deepest = 0

    def begin() -> Pending:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        fixture.handler.answers[-1](OK)
        depth -= 1
        return SETTLED

    fixture.handler.begins = begin

    answer = await fixture.receive(b"".join([post(b"x")] * 16))

    assert statuses(answer) == [200] * 16
    assert deepest == 1


async def test_connection_lost_cancels_what_is_pending(fixture: Fixture) -> None:
    """Nobody waits for the answer any more."""
    waiting = Waiting()
    fixture.handler.begins = lambda: waiting
    await fixture.receive(post(b"one"))

    fixture.protocol.connection_lost(None)

    assert waiting.cancels == 1
    assert len(fixture.handler.released) == 1


async def test_connection_lost_cancels_its_request(fixture: Fixture) -> None:
    """Nobody waits for the answer any more."""
    await fixture.receive(post(b"one"))

    fixture.protocol.connection_lost(None)
    await settle()

    assert fixture.handler.cancelled == 1
    assert fixture.protocol.tasks == set()
    assert fixture.reasons == Counter(peer=1)


async def test_half_closed_connection_still_gets_its_answer(fixture: Fixture) -> None:
    """A peer may end its side after the request."""
    await fixture.receive(post(b"one"))

    stays = fixture.protocol.eof_received()
    fixture.handler.open.set()
    await settle()

    assert stays
    assert statuses(fixture.transport.take()) == [200]
    assert fixture.transport.closed


async def test_half_closed_connection_without_a_request_ends(fixture: Fixture) -> None:
    """There is nothing to wait for."""
    await fixture.receive(post(b"one")[:-1])

    assert not fixture.protocol.eof_received()


async def test_handler_that_fails_is_answered_and_logged(fixture: Fixture) -> None:
    """A fault of ours costs one answer, not the connection."""
    fixture.handler.error = RuntimeError("ours")
    fixture.handler.open.set()

    with capture_logs() as lines:
        answer = await fixture.receive(post(b"one"))

    assert statuses(answer) == [503]
    assert [line["event"] for line in lines] == ["request_failed"]
    assert not fixture.transport.closed


async def test_deadline_passed_is_answered_for_the_handler(fixture: Fixture) -> None:
    """Whoever does not answer in time is cancelled; the next request is served."""
    fixture.handler.deadline_at = fixture.clock.monotonic() + 4.0
    await fixture.receive(post(b"one") + post(b"two"))

    answer = await fixture.advance(4.1)

    assert statuses(answer) == [503]
    assert fixture.handler.cancelled == 1
    assert fixture.handler.bodies == [b"one", b"two"]


async def test_silent_connection_is_closed_after_ten_seconds(fixture: Fixture) -> None:
    """Whoever connects and says nothing hears 408 and is let go."""
    early = await fixture.advance(9.9)
    late = await fixture.advance(0.2)

    assert early == b""
    assert statuses(late) == [408]
    assert fixture.transport.closed


async def test_head_that_trickles_is_closed_after_ten_seconds(fixture: Fixture) -> None:
    """A field now and then does not buy time."""
    answers = b""
    await fixture.receive(b"POST /a HTTP/1.1\r\n")
    for number in range(12):
        answers += await fixture.receive(b"X-%d: v\r\n" % number)
        answers += await fixture.advance(1.0)

    assert statuses(answers) == [408]
    assert fixture.transport.closed


async def test_body_that_trickles_is_closed(fixture: Fixture) -> None:
    """A byte a second is no progress."""
    answers = await fixture.receive(post(b"x" * 1_000)[:-1_000])
    for _ in range(31):
        answers += await fixture.receive(b"x")
        answers += await fixture.advance(1.0)

    assert statuses(answers) == [408]
    assert fixture.transport.closed


async def test_body_that_moves_on_is_left_alone(fixture: Fixture) -> None:
    """Slow is not stalled."""
    answers = await fixture.receive(post(b"x" * 100_000)[:-100_000])
    for _ in range(65):
        answers += await fixture.receive(b"x" * 200)
        answers += await fixture.advance(1.0)

    assert answers == b""
    assert not fixture.transport.closed


async def test_whole_request_may_have_a_limit() -> None:
    """However well its body moves on."""
    fixture = Fixture(Timeouts(request_s=20.0))
    answers = await fixture.receive(post(b"x" * 100_000)[:-100_000])
    for _ in range(21):
        answers += await fixture.receive(b"x" * 2_000)
        answers += await fixture.advance(1.0)

    assert statuses(answers) == [408]
    assert fixture.transport.closed


async def test_idle_connection_is_closed(fixture: Fixture) -> None:
    """75 seconds after the last answer, without a word: HTTP/1 has none for it."""
    fixture.handler.open.set()
    await fixture.receive(post(b"one"))

    await fixture.advance(74.0)
    early = fixture.transport.closed
    await fixture.advance(1.1)

    assert not early
    assert fixture.transport.closed


async def test_drain_closes_idle_connections_at_once(fixture: Fixture) -> None:
    """There is nothing to finish."""
    fixture.handler.open.set()
    await fixture.receive(post(b"one"))

    fixture.protocol.drain()

    assert fixture.transport.closed


async def test_drain_waits_for_the_answer_in_flight(fixture: Fixture) -> None:
    """Which says that it is the last."""
    await fixture.receive(post(b"one"))

    fixture.protocol.drain()
    early = fixture.transport.closed
    fixture.handler.open.set()
    await settle()

    assert not early
    assert b"connection: close" in fixture.transport.take()
    assert fixture.transport.closed


async def test_old_connection_closes_with_its_next_answer(fixture: Fixture) -> None:
    """The peer is told, so that it connects anew."""
    await fixture.receive(post(b"one"))
    await fixture.advance(11_500.0)

    fixture.handler.open.set()
    await settle()

    assert b"connection: close" in fixture.transport.take()
    assert fixture.transport.closed


async def test_refused_body_is_read_away_for_a_while(fixture: Fixture) -> None:
    """The peer gets to read the answer; it does not get to send for ever."""
    fixture.handler.limit_bytes = 100
    answer = await fixture.receive(post(b"x" * 200_000)[:-100_000])
    await fixture.advance(1.0)
    early = fixture.transport.closed
    await fixture.advance(5.1)

    assert statuses(answer) == [413]
    assert not early
    assert fixture.transport.aborted


async def test_refused_body_that_ends_closes_at_once(fixture: Fixture) -> None:
    """When everything was read away."""
    fixture.handler.limit_bytes = 100

    answer = await fixture.receive(chunked(b"x" * 150))

    assert statuses(answer) == [413]
    assert fixture.transport.closed


async def test_peer_that_does_not_read_is_let_go(fixture: Fixture) -> None:
    """Nothing is read from it meanwhile, and after the timeout it is closed."""
    fixture.handler.open.set()
    await fixture.receive(post(b"one"))
    fixture.protocol.pause_writing()
    paused = not fixture.transport.reading
    await fixture.advance(29.0)
    early = fixture.transport.aborted
    await fixture.advance(1.1)

    assert paused
    assert not early
    assert fixture.transport.aborted


async def test_broken_peer_is_logged_and_counted(fixture: Fixture) -> None:
    """One line, one reason."""
    with capture_logs() as lines:
        await fixture.receive(b"NONSENSE\r\n\r\n")
    fixture.protocol.connection_lost(None)

    assert [line["event"] for line in lines] == ["http1_protocol_error"]
    assert fixture.reasons == Counter(protocol_error=1)
