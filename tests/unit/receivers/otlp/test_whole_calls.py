"""Calls that arrive whole, through the receiver's own connection, without sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from structlog.testing import capture_logs

from bridge.core import ACCEPTED, Batch, Outcome, Pending, Receipt, Signal, Unavailable
from bridge.http2 import Http2Protocol, WholeCall
from bridge.http2.frames import END_HEADERS, HEADERS, PING, frame, rst_stream
from bridge.http2.frames import ErrorCode as Code
from bridge.http2.head import encode_fields
from bridge.testing import FakeStage, settle, trace_request
from bridge.wire import native
from tests.unit.http2.test_call_finder import call
from tests.unit.http2.transport import FakeTransport
from tests.unit.http2.wire import OPENING, parse
from tests.unit.receivers.otlp.clients import EXPORT_PATHS, Running, running

MADE = trace_request(3)
REQUEST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", EXPORT_PATHS[Signal.TRACES].encode()),
    (b":authority", b"localhost"),
    (b"content-type", b"application/grpc"),
)
BLOCK = encode_fields(REQUEST)
HURRIED = encode_fields((*REQUEST, (b"grpc-timeout", b"100m")))


class Begun:
    """A delivery that is under way; like the exporter's, it settles once."""

    def __init__(self, batch: Batch, settle: Callable[[Outcome], None]) -> None:
        self.batch = batch
        self.settle_owner = getattr(settle, "__self__", None)
        self.whole = isinstance(self.settle_owner, WholeCall)
        self._settle: Callable[[Outcome], None] | None = settle

    def end(self, outcome: Outcome) -> None:
        """Settle it, unless that was done."""
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(outcome)

    def cancel(self) -> None:
        """As `Pending.cancel`."""
        self.end(None)


class Beginning(FakeStage):
    """A stage that keeps what was begun."""

    begins = True

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[Begun] = []
        self.error: Exception | None = None
        self.declines = False

    def begin_delivery(self, batch: Batch, settle: Callable[[Outcome], None]) -> Pending | None:
        """Keep it, or do as was asked."""
        if self.declines:
            return None
        if self.error is not None:
            raise self.error
        self.begun.append(Begun(batch, settle))
        return self.begun[-1]


class Client:
    """One connection of a running receiver."""

    def __init__(self, running: Running, stage: Beginning) -> None:
        self.running, self.stage = running, stage
        server = running.receiver._servers["grpc"]
        connection = server._make_connection(server)
        assert isinstance(connection, Http2Protocol)
        self.connection, self.transport = connection, FakeTransport()
        connection.connection_made(self.transport)
        connection.data_received(OPENING)
        # The head is unknown until one request has come with it.
        connection.data_received(
            call(1, MADE.body, block=BLOCK) + call(3, MADE.body, block=HURRIED)
        )
        self.last_id = 3

    def send(
        self, count: int, body: bytes = MADE.body, block: bytes = BLOCK, flag: int = 0
    ) -> None:
        """As many calls in one piece."""
        ids = [self.last_id + 2 * number for number in range(1, count + 1)]
        self.last_id = ids[-1]
        self.connection.data_received(b"".join(call(each, MADE.body, block=block) for each in ids))

    def statuses(self) -> dict[int, bytes]:
        """The ``grpc-status`` of each stream that was answered since the last look."""
        return {
            each.stream_id: each.payload.split(b"grpc-status", 1)[1][1:2]
            for each in parse(self.transport.take())
            if each.kind == HEADERS and b"grpc-status" in each.payload
        }

    def figures(self) -> dict[str, float]:
        """The figures that are not 0."""
        shown = {
            name: self.running.value(
                f"otelcol_receiver_{name}_spans", receiver="otlp", transport="grpc"
            )
            for name in ("accepted", "refused", "failed")
        }
        shown["in flight"] = self.running.value(
            "bridge_ledger_in_flight_items", component="receivers/otlp", signal="traces"
        )
        shown["imbalance"] = self.running.value(
            "bridge_ledger_imbalance", component="receivers/otlp", signal="traces"
        )
        shown["bytes"] = self.running.value("bridge_receiver_in_flight_bytes", receiver="otlp")
        return {name: value for name, value in shown.items() if value}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client whose first two requests are answered."""
    stage = Beginning()
    async with running(stage) as receiver:
        made = Client(receiver, stage)
        for each in stage.begun:
            each.end(ACCEPTED)
        await settle()
        assert made.statuses() == {1: b"0", 3: b"0"}
        assert made.figures() == {"accepted": 6}
        stage.begun.clear()
        yield made
        made.connection.connection_lost(None)


async def test_each_is_answered_when_its_delivery_ends(client: Client) -> None:
    """Not before, whatever the others do; every span is counted once."""
    client.send(3)
    await settle()
    # In Python nobody counts the spans of many bodies at once: each is begun by itself then.
    assert [each.whole for each in client.stage.begun] == [native.available()] * 3
    assert client.transport.take() == b""
    assert client.figures() == {
        "accepted": 6,
        "in flight": 9,
        "bytes": 3 * len(MADE.body),
    }

    client.stage.begun[1].end(ACCEPTED)
    await settle()

    assert client.statuses() == {7: b"0"}
    client.stage.begun[0].end(Unavailable("later", retry_after_s=1.0))
    client.stage.begun[2].end(Receipt(2, "too old"))
    await settle()
    assert client.statuses() == {5: b"1", 9: b"0"}
    assert client.figures() == {"accepted": 6 + 3 + 1, "refused": 3 + 2}
    assert (
        client.running.value(
            "bridge_receiver_requests", receiver="otlp", transport="grpc", outcome="ok"
        )
        == 3
    )


async def test_answers_of_one_turn_are_one_write(client: Client) -> None:
    """However many deliveries ended in it."""
    client.send(20)
    written = []
    client.transport.write = written.append  # type: ignore[method-assign]

    for each in client.stage.begun:
        each.end(ACCEPTED)
    await settle()

    assert len(written) == 1
    assert len([each for each in parse(written[0]) if each.kind == HEADERS]) == 40


async def test_a_reset_call_is_cancelled(client: Client) -> None:
    """Its spans are refused, its bytes given back, and nothing is written for it."""
    client.send(2)

    client.connection.data_received(rst_stream(5, Code.CANCEL))
    await settle()

    assert client.figures() == {
        "accepted": 6,
        "refused": 3,
        "in flight": 3,
        "bytes": len(MADE.body),
    }
    client.stage.begun[0].end(ACCEPTED)
    client.stage.begun[1].end(ACCEPTED)
    await settle()
    assert client.statuses() == {7: b"0"}
    assert client.figures() == {"accepted": 9, "refused": 3}


async def test_a_reset_behind_the_outcome_changes_nothing(client: Client) -> None:
    """What Kafka has is acknowledged, although the peer no longer wants to know."""
    client.send(1)

    client.stage.begun[0].end(ACCEPTED)
    client.connection.data_received(rst_stream(5, Code.CANCEL))
    await settle()

    assert client.figures() == {"accepted": 9}
    assert client.statuses() == {5: b"0"}


async def test_a_lost_connection_cancels_and_counts(client: Client) -> None:
    """At once: what had ended is accepted, what had not is refused."""
    client.send(2)
    client.stage.begun[0].end(ACCEPTED)

    client.connection.connection_lost(None)

    assert client.figures() == {"accepted": 9, "refused": 3}
    assert client.transport.take() == b""


async def test_deadlines_of_the_client_hold(client: Client) -> None:
    """A call that is not answered in time is answered over the method's head, and cancelled."""
    client.send(1, block=HURRIED)
    client.send(1)
    now = client.connection._server.clock.monotonic()

    client.connection.tick(now + 0.3)
    await settle()
    assert client.transport.take() == b""
    client.connection.tick(now + 0.7)
    await settle()

    assert list(client.statuses()) == [5]
    assert client.figures() == {
        "accepted": 6,
        "refused": 3,
        "in flight": 3,
        "bytes": len(MADE.body),
    }


async def test_an_outcome_is_not_overtaken_by_its_deadline(client: Client) -> None:
    """What ended before the clock was looked at is answered as it ended."""
    client.send(1)
    client.stage.begun[0].end(ACCEPTED)

    client.connection.tick(client.connection._server.clock.monotonic() + 1000)
    await settle()

    assert client.statuses() == {5: b"0"}
    assert client.figures() == {"accepted": 9}


@pytest.mark.parametrize(
    ("error", "counted", "logged"),
    [
        (Unavailable("away", retry_after_s=1.0), "refused", []),
        (RuntimeError("a fault of ours"), "failed", ["request_failed"]),
    ],
)
async def test_what_cannot_begin_is_answered(
    client: Client, error: Exception, counted: str, logged: list[str]
) -> None:
    """With UNAVAILABLE either way; only a fault is logged."""
    client.stage.error = error

    with capture_logs() as logs:
        client.send(2)
        await settle()

    assert list(client.statuses()) == [5, 7]
    assert client.figures() == {"accepted": 6, counted: 6}
    assert logged == [each["event"] for each in logs]


async def test_what_takes_a_task_gets_one(client: Client) -> None:
    """A stage that must wait first is delivered to."""
    client.stage.declines = True

    client.send(2)
    await settle()

    assert client.statuses() == {5: b"0", 7: b"0"}
    assert len(client.stage.taken) == 2
    assert client.figures() == {"accepted": 12}


async def test_bad_ones_do_not_spoil_the_others(client: Client) -> None:
    """A malformed, an empty and a falsely compressed message among good ones."""
    good = call(9, MADE.body, block=BLOCK)
    client.connection.data_received(
        call(5, b"\xff\xff", block=BLOCK)
        + call(7, b"", block=BLOCK)
        + good
        + call(11, b"no gzip", block=BLOCK, flag=1)
    )
    await settle()
    assert sorted(client.statuses()) == [5, 7, 11]

    (begun,) = client.stage.begun
    begun.end(ACCEPTED)
    await settle()

    assert client.statuses() == {9: b"0"}
    assert client.figures() == {"accepted": 9}


async def test_draining_waits_for_them(client: Client) -> None:
    """The connection closes when the last one is answered."""
    client.send(2)
    client.connection.drain()
    await settle()
    client.connection.data_received(frame(PING, 1, 0, b"drain\0\0\0"))
    await settle()
    client.transport.take()
    assert not client.transport.closed

    client.stage.begun[0].end(ACCEPTED)
    await settle()
    assert not client.transport.closed
    client.stage.begun[1].end(ACCEPTED)
    await settle()

    assert client.transport.closed
    assert client.statuses() == {5: b"0", 7: b"0"}


async def test_calls_after_the_farewell_are_refused(client: Client) -> None:
    """They were never taken: a client sends them elsewhere."""
    client.connection.drain()
    client.connection.data_received(frame(PING, 1, 0, b"drain\0\0\0"))
    client.send(1)
    await settle()

    assert client.stage.begun == []


async def test_a_fault_later_in_the_bytes_drops_them(client: Client) -> None:
    """Nothing begins on a connection that has ended."""
    with capture_logs():
        client.connection.data_received(
            call(5, MADE.body, block=BLOCK) + frame(HEADERS, END_HEADERS, 2, BLOCK)
        )
        await settle()

    assert client.stage.begun == []
    assert client.figures() == {"accepted": 6}
    assert client.transport.closed


async def test_only_one_callback_of_the_loop_answers_many(client: Client) -> None:
    """Settling costs no task and no future."""
    client.send(10)
    before = asyncio.all_tasks()

    for each in client.stage.begun:
        each.end(ACCEPTED)

    assert asyncio.all_tasks() == before
    assert client.connection._flush_scheduled
