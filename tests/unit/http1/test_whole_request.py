"""What has arrived whole on many connections: begun and answered in one turn of the loop."""

import pytest
from structlog.testing import capture_logs

from bridge.core import ACCEPTED, Unavailable
from bridge.http1 import Head, Http1Limits, Http1Protocol, Lane, Request, Response, WholeRequest
from bridge.http2 import QuietLog, Server, Timeouts
from bridge.testing import ManualClock, settle
from tests.unit.http1.gate import OK, FakeHandler, post, statuses
from tests.unit.http2.transport import FakeTransport

LATE = Response(503, (), b"later")


class Plain(FakeHandler):
    """As its parent, but it calls every head plain."""

    def admit(self, request: Request) -> Response | None:
        """Note what the head says, once."""
        request.head.plain = True
        return super().admit(request)


class Calls:
    """A handler of whole requests that does as it is told."""

    def __init__(self) -> None:
        self.body_bytes_max = 100
        self.room_bytes = 1_000
        self.charged_bytes = 0
        self.begun: list[list[WholeRequest]] = []
        self.answered: list[list[WholeRequest]] = []
        self.gives_back = False
        self.error: Exception | None = None

    def charge(self, count_bytes: int) -> None:
        """Note it."""
        self.charged_bytes += count_bytes

    def begin(self, requests: list[WholeRequest]) -> list[WholeRequest]:
        """Keep them."""
        if self.error is not None:
            raise self.error
        self.begun.append(requests)
        return requests if self.gives_back else []

    def answer(self, requests: list[WholeRequest]) -> None:
        """Say what their outcome is."""
        self.answered.append(requests)
        if self.error is not None:
            raise self.error
        for request in requests:
            self.release(request)
            if request.outcome is not None:
                request.reply = OK if request.outcome is ACCEPTED else LATE

    def failure(self, request: Request) -> Response:
        """The answer to faults."""
        return Response(500, (), b"fault")

    def release(self, request: Request) -> None:
        """Note it."""
        self.charged_bytes -= request.charge_bytes
        request.charge_bytes = 0


class Fixture:
    """Some connections whose head is known, on one lane."""

    def __init__(self, count: int = 3) -> None:
        self.clock, self.handler, self.calls = ManualClock(), Plain(), Calls()
        self.handler.release = self.calls.release  # type: ignore[method-assign]
        self.handler.open.set()
        self.server = Server(
            lambda server: self.make(),
            self.clock,
            Timeouts(age_s=10_000.0),
            connections_max=10,
            count_closed=lambda reason: None,
            log=QuietLog(self.clock),
        )
        self.lane = Lane(self.calls)
        self.connections = [self.make() for _ in range(count)]
        self.transports = [FakeTransport() for _ in range(count)]

    def make(self) -> Http1Protocol:
        """A connection."""
        return Http1Protocol(self.server, self.handler, Http1Limits(), self.lane)

    async def open(self) -> "Fixture":
        """Let each connection send its head twice."""
        for connection, transport in zip(self.connections, self.transports, strict=True):
            connection.connection_made(transport)  # type: ignore[arg-type]
            for _ in range(2):
                connection.data_received(post(b"hello"))
                await settle()
            assert statuses(transport.take()) == [200, 200]
        assert self.calls.begun == []
        return self

    def send(self, body: bytes = b"hello") -> None:
        """One request on each connection."""
        for connection in self.connections:
            connection.data_received(post(body))


@pytest.fixture
async def fixture() -> Fixture:
    """Three connections."""
    return await Fixture().open()


async def test_requests_of_one_turn_begin_together(fixture: Fixture) -> None:
    """Of all connections, in the order in which they came; no task is made."""
    fixture.send()
    before = list(fixture.calls.begun)
    await settle()

    assert before == []
    (begun,) = fixture.calls.begun
    assert [each.connection for each in begun] == fixture.connections
    assert [each.message for each in begun] == [b"hello"] * 3
    assert fixture.calls.charged_bytes == 15
    assert all(not each.tasks for each in fixture.connections)


async def test_requests_of_one_turn_are_answered_together(fixture: Fixture) -> None:
    """Each with its own answer; what is not settled waits."""
    fixture.send()
    await settle()
    first, second, third = fixture.calls.begun[0]

    first.settle(ACCEPTED)
    third.settle(Unavailable("later"))
    await settle()
    written = [statuses(each.take()) for each in fixture.transports]
    second.settle(ACCEPTED)
    await settle()

    assert written == [[200], [], [503]]
    assert statuses(fixture.transports[1].take()) == [200]
    assert [len(each) for each in fixture.calls.answered] == [2, 1]
    assert fixture.calls.charged_bytes == 0


async def test_answer_is_the_same_as_of_the_other_way(fixture: Fixture) -> None:
    """Byte for byte."""
    connection, transport = fixture.connections[0], fixture.transports[0]
    connection.data_received(post(b"hello")[:-1])
    connection.data_received(b"o")
    await settle()
    slowly = transport.take()
    fixture.send()
    await settle()
    fixture.calls.begun[0][0].settle(ACCEPTED)
    await settle()

    assert transport.take() == slowly


@pytest.mark.parametrize(
    "data",
    [
        post(b"hello")[:-1],
        post(b"hello") + b"P",
        post(b"hello") * 2,
        post(b"x" * 101),
        post(b"hello", "Other: field"),
    ],
)
async def test_what_is_not_exactly_one_request_goes_the_other_way(
    fixture: Fixture, data: bytes
) -> None:
    """Part of one, more than one, one that is too long, one with another head."""
    fixture.connections[0].data_received(data)
    await settle()

    assert fixture.calls.begun == []


async def test_what_does_not_fit_goes_the_other_way(fixture: Fixture) -> None:
    """Whoever is refused is refused there."""
    fixture.calls.room_bytes = 4

    fixture.send()
    await settle()

    assert fixture.calls.begun == []
    assert [statuses(each.take()) for each in fixture.transports] == [[200]] * 3


async def test_head_that_is_not_plain_goes_the_other_way(fixture: Fixture) -> None:
    """The handler says which are."""
    found = fixture.connections[0]._state._known.find(post(b"hello"))
    assert found is not None
    found[0].plain = False

    fixture.send()
    await settle()

    assert [len(each) for each in fixture.calls.begun] == [2]


async def test_given_back_requests_go_the_other_way(fixture: Fixture) -> None:
    """They get a task if they need one, and their answer."""
    fixture.calls.gives_back = True

    fixture.send()
    await settle()

    assert [statuses(each.take()) for each in fixture.transports] == [[200]] * 3
    assert fixture.handler.bodies[-3:] == [b"hello"] * 3
    assert fixture.calls.charged_bytes == 0


async def test_connection_lost_before_the_turn_ends_begins_nothing(fixture: Fixture) -> None:
    """Its charge is given back at once; the others are not disturbed."""
    fixture.send()
    fixture.connections[1].connection_lost(None)
    held = fixture.calls.charged_bytes
    await settle()

    assert held == 10
    assert [each.connection for each in fixture.calls.begun[0]] == fixture.connections[::2]


async def test_connection_lost_after_the_outcome_writes_nothing(fixture: Fixture) -> None:
    """It is counted as it ended."""
    fixture.send()
    await settle()
    fixture.calls.begun[0][0].settle(ACCEPTED)
    fixture.connections[0].connection_lost(None)
    await settle()

    assert [len(each) for each in fixture.calls.answered] == [1]
    assert fixture.transports[0].take() == b""


async def test_pipelined_request_waits_for_the_whole_one(fixture: Fixture) -> None:
    """Answers come in the order of the requests."""
    connection, transport = fixture.connections[0], fixture.transports[0]
    connection.data_received(post(b"first"))
    connection.data_received(post(b"second") + post(b"third"))
    await settle()
    nothing, reading = transport.take(), transport.reading
    fixture.calls.begun[0][0].settle(Unavailable("later"))
    await settle()

    assert nothing == b""
    assert not reading
    assert statuses(transport.take()) == [503, 200, 200]
    assert transport.reading
    assert fixture.handler.bodies[-2:] == [b"second", b"third"]


async def test_draining_answers_with_close(fixture: Fixture) -> None:
    """A whole request keeps its connection until it is answered; no more are taken."""
    fixture.send()
    fixture.connections[0].drain()
    await settle()
    closed = fixture.transports[0].closed
    fixture.calls.begun[0][0].settle(ACCEPTED)
    await settle()

    assert not closed
    assert b"connection: close" in fixture.transports[0].take()
    assert fixture.transports[0].closed


async def test_deadline_answers_over_its_head(fixture: Fixture) -> None:
    """What settles later is not written again."""
    fixture.send()
    await settle()
    request = fixture.calls.begun[0][0]
    request.deadline_at = fixture.clock.monotonic() + 1.0
    await fixture.clock.advance(2.0)
    fixture.connections[0].tick(fixture.clock.monotonic())
    await settle()
    expired = fixture.transports[0].take()
    request.settle(ACCEPTED)
    await settle()

    assert statuses(expired) == [503]
    assert fixture.transports[0].take() == b""
    assert fixture.calls.charged_bytes == 10


async def test_outcome_is_not_overtaken_by_its_deadline(fixture: Fixture) -> None:
    """What ended before the clock was looked at is answered as it ended."""
    fixture.send()
    await settle()
    request = fixture.calls.begun[0][0]
    request.deadline_at = fixture.clock.monotonic() + 1.0
    await fixture.clock.advance(2.0)
    request.settle(ACCEPTED)
    fixture.connections[0].tick(fixture.clock.monotonic())
    await settle()

    assert statuses(fixture.transports[0].take()) == [200]


async def test_faults_are_answered(fixture: Fixture) -> None:
    """Whether beginning fails or answering: every peer hears of it, and the charges come back."""
    fixture.calls.error = RuntimeError("a fault of ours")
    with capture_logs() as logs:
        fixture.send()
        await settle()
    begun = [statuses(each.take()) for each in fixture.transports]
    held = fixture.calls.charged_bytes
    fixture.calls.error = None
    fixture.send()
    await settle()
    fixture.calls.error = RuntimeError("another")
    await fixture.clock.advance(5.0)
    with capture_logs() as more:
        for request in fixture.calls.begun[0]:
            request.settle(ACCEPTED)
        await settle()

    assert begun == [[500]] * 3
    assert held == 0
    assert [statuses(each.take()) for each in fixture.transports] == [[500]] * 3
    assert fixture.calls.charged_bytes == 0
    assert [each["event"] for each in (*logs, *more)] == ["request_failed"] * 2


async def test_failed_request_logs_only_faults(fixture: Fixture) -> None:
    """What the stage behind says is an answer, what it should not raise is a fault."""
    fixture.send()
    await settle()
    first, second, _ = fixture.calls.begun[0]

    with capture_logs() as logs:
        first.fail(Unavailable("away"))
        second.fail(RuntimeError("a fault of ours"))
        await settle()

    assert [each["event"] for each in logs] == ["request_failed"]
    assert [statuses(each.take()) for each in fixture.transports] == [[503], [503], []]


async def test_broken_transport_ends_its_connection_only(fixture: Fixture) -> None:
    """The other answers are written."""

    def fail(data: bytes) -> None:
        raise OSError("gone")

    fixture.transports[0].write = fail  # type: ignore[method-assign]
    fixture.send()
    await settle()
    with capture_logs():
        for request in fixture.calls.begun[0]:
            request.settle(ACCEPTED)
        await settle()

    assert [each.aborted for each in fixture.transports] == [True, False, False]
    assert [statuses(each.take()) for each in fixture.transports[1:]] == [[200]] * 2


def test_plain_rendering_follows_the_date() -> None:
    """It is kept while the date stays, and is what `render` makes of such a request."""
    request = Request(Head(b"POST", b"/", (), "1.1"), 1, 0.0)

    for date in ("now", "now", "later"):
        assert OK.render_plainly(date) == OK.render(request, date, close=False)
    assert OK.with_fields(((b"a", b"b"),)).render_plainly("later") != OK.render_plainly("later")
