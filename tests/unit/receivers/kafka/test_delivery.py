"""Delivering chunks: once, again, in parts."""

import asyncio
import tracemalloc
from typing import Any

import pytest

from bridge.core import (
    ACCEPTED,
    NO_METADATA,
    Batch,
    Denied,
    Malformed,
    Overloaded,
    Receipt,
    Refused,
    Signal,
    State,
    Unavailable,
)
from bridge.flow import Backoff, Lane, LaneLimits, Letter, ReadRecord
from bridge.kafka import Troubles
from bridge.receivers.kafka.delivery import Delivery, Marking, make_batch
from bridge.receivers.kafka.poison import Poison, PoisonRules
from bridge.receivers.kafka.showing import Showing
from bridge.testing import FakeHost, FakeStage, ManualClock, RecordingMetrics, make_settings, settle
from tests.unit.receivers.kafka.lanes import route, source_record, started

BACKOFF = Backoff(1.0, 2.0, 0.0, 4.0, 300.0)
NEVER = Marking()


class Letters:
    """Keeps letters."""

    def __init__(self) -> None:
        self.offsets: list[int] = []

    async def put(self, letter: Letter) -> None:
        self.offsets.append(letter.offset)


class Rig:
    """A delivery over a fake stage."""

    def __init__(self, stage: Any, marking: Marking = NEVER, letters: bool = True) -> None:
        self.clock, self.metrics, self.host = ManualClock(), RecordingMetrics(), FakeHost()
        settings = make_settings("kafka", clock=self.clock, metrics=self.metrics, host=self.host)
        self.letters = Letters()
        rules = PoisonRules(self.letters if letters else None, False, "processing")
        troubles = Troubles(settings.report, "processing", "")
        self.showing = Showing()
        self.delivery = Delivery(
            settings,
            BACKOFF,
            marking,
            Poison(settings, rules, BACKOFF, troubles, self.showing, lambda: 1.0),
            self.showing,
            lambda: 1.0,
        )
        self.route = route(settings, stage)

    def deliver(self, lane: Lane, chunk: Any) -> "asyncio.Task[None]":
        return asyncio.ensure_future(self.delivery.deliver(lane, chunk, self.route))


async def test_delivery_finishes_what_was_taken() -> None:
    """A return of the stage finishes every record; items are counted, rejected ones apart."""
    stage = FakeStage(Receipt(1, "one too old"))
    rig, (lane, chunk) = Rig(stage), started(3)

    await rig.deliver(lane, chunk)

    (batch,) = stage.taken
    assert (batch.items, batch.body) == (6, b"body0body1body2")
    assert lane.book.committed == 3
    assert rig.metrics.value("otelcol_receiver_accepted_spans", transport="kafka") == 5
    assert rig.metrics.value("bridge_kafka_receiver_rejected_items") == 1


async def test_delivery_retries_without_end_with_growing_waits() -> None:
    """Errors that may pass are outwaited: 1, 2, 4, 4 seconds, or as long as the backend says."""
    away = Unavailable("away")
    stage = FakeStage(away, away, away, away, Overloaded("full", retry_after_s=60.0))
    rig, (lane, chunk) = Rig(stage), started()
    task = rig.deliver(lane, chunk)
    for tried, wait_s in enumerate((1.0, 2.0, 4.0, 4.0, 66.0), 1):
        await settle()
        assert len(stage.offered) == tried
        await rig.clock.advance(wait_s - 0.01)
        assert len(stage.offered) == tried
        await rig.clock.advance(0.01)
    await task

    assert lane.book.committed == 1
    assert rig.metrics.value("bridge_kafka_receiver_retries") == 5


async def test_delivery_denied_is_reported_and_retried_slowly() -> None:
    """Missing rights are a status with the hint; the record stays."""
    rig, (lane, chunk) = Rig(FakeStage(Denied("no", hint="kafka-acls ..."))), started()
    task = rig.deliver(lane, chunk)
    await rig.clock.wait_sleeping()

    status = rig.host.statuses()["delivery"]
    assert (status.state, status.hint) == (State.PERMANENT, "kafka-acls ...")

    await rig.clock.advance(30.0)
    await task

    assert rig.host.statuses()["delivery"].state is State.OK
    assert lane.book.committed == 1


async def test_delivery_fault_of_ours_is_retried() -> None:
    """An unexpected error costs no data."""
    rig, (lane, chunk) = Rig(FakeStage(RuntimeError("bug"))), started()
    task = rig.deliver(lane, chunk)
    await rig.clock.wait_sleeping()
    await rig.clock.advance(1.0)
    await task

    assert lane.book.committed == 1


async def test_delivery_one_poisonous_record_does_not_take_its_neighbours() -> None:
    """A refused batch is delivered record by record; only the refused one is set aside."""

    class Picky:
        async def deliver(self, batch: Batch) -> Receipt:
            if b"body1" in batch.body:
                raise Refused("odd")
            taken.append(batch)
            return Receipt()

    taken: list[Batch] = []
    rig, (lane, chunk) = Rig(Picky()), started(3)

    await rig.deliver(lane, chunk)

    assert [batch.body for batch in taken] == [b"body0", b"body2"]
    assert taken[0].metadata["kafka.offset"] == ("0",)
    assert rig.letters.offsets == [1]
    assert lane.book.committed == 3
    assert rig.metrics.value("otelcol_receiver_refused_spans") == 2


async def test_delivery_poison_alone_is_asked_for_once() -> None:
    """A batch of one record needs no second question."""
    stage = FakeStage(otherwise=Refused("odd"))
    rig, (lane, chunk) = Rig(stage), started()

    await rig.deliver(lane, chunk)

    assert len(stage.offered) == 1
    assert rig.letters.offsets == [0]


async def test_delivery_undecodable_record_is_set_aside_unasked() -> None:
    """Nobody downstream sees what is no OTLP."""
    stage = FakeStage()
    rig, (lane, chunk) = Rig(stage), started(1, Malformed("no OTLP"))

    await rig.deliver(lane, chunk)

    assert stage.offered == []
    assert rig.letters.offsets == [0]


async def test_delivery_retries_only_what_is_unfinished() -> None:
    """Records that a stage finished one by one before it failed are not delivered again."""

    class Half:
        def __init__(self) -> None:
            self.bodies: list[bytes] = []

        async def deliver(self, batch: Batch) -> Receipt:
            self.bodies.append(batch.body)
            assert batch.origin.custody is not None
            if len(self.bodies) == 1:
                batch.origin.custody.finish([0, 2])
                raise Unavailable("away")
            return Receipt()

    stage = Half()
    rig, (lane, chunk) = Rig(stage), started(3)
    task = rig.deliver(lane, chunk)
    await rig.clock.wait_sleeping()
    await rig.clock.advance(1.0)
    await task

    assert stage.bodies == [b"body0body1body2", b"body1"]


async def test_delivery_of_a_draining_lane_is_given_up() -> None:
    """Between two attempts a delivery ends when its partition goes."""
    stage = FakeStage(otherwise=Unavailable("away"))
    rig, (lane, chunk) = Rig(stage), started()
    task = rig.deliver(lane, chunk)
    await rig.clock.wait_sleeping()
    lane.drain()
    await rig.clock.advance(1.0)
    await task

    assert (len(stage.offered), lane.book.committed) == (1, 0)


async def test_delivery_is_busy_only_while_a_stage_has_it() -> None:
    """A revoke can tell a delivery in flight from one that waits."""
    stage = FakeStage(Unavailable("away"))
    stage.hold()
    rig, (lane, chunk) = Rig(stage), started()
    task = rig.deliver(lane, chunk)
    await settle()

    assert chunk.busy

    stage.release()
    await rig.clock.wait_sleeping()

    assert not chunk.busy

    await rig.clock.advance(1.0)
    await task


async def test_delivery_at_most_once_finishes_before() -> None:
    """With `message_marking.after: false` records are done when they are read."""
    stage = FakeStage()
    stage.hold()
    rig, (lane, chunk) = Rig(stage, Marking(on_read=True)), started()
    task = rig.deliver(lane, chunk)
    await settle()

    assert lane.book.committed == 1

    stage.release()
    await task

    assert len(stage.taken) == 1


async def test_delivery_gives_up_where_it_is_told_to() -> None:
    """`message_marking.on_error` drops after the backoff's time, counted."""
    stage = FakeStage(otherwise=Unavailable("away"))
    rig, (lane, chunk) = Rig(stage, Marking(give_up_after_s=2.0)), started()
    task = rig.deliver(lane, chunk)
    for wait_s in (1.0, 2.0):
        await rig.clock.wait_sleeping()
        await rig.clock.advance(wait_s)
    await task

    assert lane.book.committed == 1
    assert rig.metrics.value("bridge_kafka_receiver_dropped_items", rule="on_error") == 2


def test_batch_names_the_place_of_every_record() -> None:
    """Joining blurs neither time nor custody."""
    lane, chunk = started(2)

    batch = make_batch("kafka", lane, chunk.entries, Signal.TRACES)

    assert [
        (r.offset, r.timestamp_ms, batch.body[r.body_start : r.body_stop])
        for r in batch.origin.records
    ] == [(0, 1000, b"body0"), (1, 1001, b"body1")]
    assert batch.origin.custody is lane
    assert batch.origin.durable
    assert "kafka.offset" not in batch.metadata


@pytest.mark.parametrize("letters", [True, False])
async def test_delivery_cancelled_finishes_nothing(letters: bool) -> None:
    """A cancelled delivery leaves its records to the next owner."""
    stage = FakeStage()
    stage.hold()
    rig, (lane, chunk) = Rig(stage, letters=letters), started()
    task = rig.deliver(lane, chunk)
    await settle()
    task.cancel()
    await asyncio.wait([task])

    assert (task.cancelled(), lane.book.committed, chunk.busy) == (True, 0, False)


def _context() -> tuple[Lane, Any]:
    lane, chunk = started(2)
    for entry in chunk.entries:
        entry.context = True
    return lane, chunk


async def test_delivery_shows_context_without_counting_it() -> None:
    """What was finished before is looked at: not accepted again, and nothing is finished by it."""
    stage = FakeStage()
    rig = Rig(stage)
    lane, chunk = _context()
    await rig.deliver(lane, chunk)

    (batch,) = stage.taken
    assert batch.origin.context
    assert batch.origin.custody is lane
    assert rig.metrics.value("otelcol_receiver_accepted_spans") == 0
    assert lane.book.committed == 0


async def test_delivery_shows_context_again_when_there_was_no_room() -> None:
    """A refusal that passes is waited for, since what follows is judged with it."""
    stage = FakeStage(Overloaded("full"))
    rig = Rig(stage)
    lane, chunk = _context()
    task = rig.deliver(lane, chunk)
    await settle()
    assert not task.done()
    await rig.clock.advance(2.0)

    assert task.done()
    assert len(stage.taken) == 1


@pytest.mark.parametrize("error", [Refused("no"), ZeroDivisionError("a fault")])
async def test_delivery_passes_over_context_that_is_refused(error: Exception) -> None:
    """It was delivered once: not seeing it again holds nothing up and sets nothing aside."""
    rig = Rig(FakeStage(error))
    lane, chunk = _context()
    await rig.deliver(lane, chunk)

    assert rig.letters.offsets == []
    assert lane.stuck == {}


class _Kept:
    """Keeps letters as they are."""

    def __init__(self, letters: list[Letter]) -> None:
        self.letters = letters

    async def __call__(self, letter: Letter) -> None:
        self.letters.append(letter)


class Holding:
    """A stage that keeps records in a budget of its own, refuses them, and takes them then."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.bodies = list(errors), list[bytes]()
        self.go_on = asyncio.Event()

    async def deliver(self, batch: Batch) -> Receipt:
        assert batch.origin.custody is not None
        batch.origin.custody.hold([record.offset for record in batch.origin.records])
        self.bodies.append(batch.body)
        del batch
        await self.go_on.wait()
        if self.errors:
            raise self.errors.pop(0)
        return ACCEPTED


def _fetched(count: int, size: int) -> tuple[Lane, Any]:
    """A lane with one batch of records, each the request that it holds, in delivery."""
    lane = Lane("spans", 2, 1, LaneLimits(1 << 30, 4, 1 << 30))
    lane.open(0)
    lane.admit(
        ReadRecord(at, 0, value, 1, NO_METADATA, source_record(at, value, key=b"%d" % at))
        for at, value in enumerate(bytes([at]) * size for at in range(count))
    )
    return lane, lane.start_next()


async def test_delivery_keeps_no_second_copy_of_what_a_stage_holds() -> None:
    """Records lie in memory once while they wait to be decided, in the request made of them."""
    stage = Holding()
    rig = Rig(stage)
    tracemalloc.start()
    try:
        lane, chunk = _fetched(100, 10_000)
        task = rig.deliver(lane, chunk)
        await settle()

        assert tracemalloc.get_traced_memory()[0] < 1_100_000
    finally:
        tracemalloc.stop()
        stage.go_on.set()
    await task
    assert lane.book.committed == 100


async def test_delivery_gives_again_what_a_stage_held() -> None:
    """What was held and not taken comes again, all of it, and one by one if it is refused."""
    stage = Holding(Unavailable("not now"), Refused("no"), Refused("that one"))
    rig = Rig(stage)
    stage.go_on.set()
    lane, chunk = _fetched(3, 4)
    letters: list[Letter] = []
    rig.letters.put = keep = _Kept(letters)  # type: ignore[method-assign]  # It keeps more.
    task = rig.deliver(lane, chunk)
    await rig.clock.wait_sleeping()
    await rig.clock.advance(1.0)
    await task

    whole = bytes(4) + b"\1" * 4 + b"\2" * 4
    assert [whole, whole, bytes(4), b"\1" * 4, b"\2" * 4] == stage.bodies
    assert stage.bodies[0] is stage.bodies[1]
    assert [(0, b"0", bytes(4))] == [(it.offset, it.key, it.value) for it in keep.letters]
    assert lane.book.committed == 3


async def test_delivery_that_gives_up_drops_nothing_that_a_stage_finished() -> None:
    """A stage that has finished all and fails leaves nothing to be counted as dropped."""

    class Finishing:
        async def deliver(self, batch: Batch) -> Receipt:
            assert batch.origin.custody is not None
            batch.origin.custody.finish([record.offset for record in batch.origin.records])
            raise Unavailable("afterwards")

    rig, (lane, chunk) = Rig(Finishing(), Marking(give_up_after_s=0.0)), started(2)

    await rig.deliver(lane, chunk)

    assert lane.book.committed == 2
    assert rig.metrics.value("bridge_kafka_receiver_dropped_items", rule="on_error") == 0
