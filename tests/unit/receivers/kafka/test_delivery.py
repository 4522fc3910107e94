"""Delivering chunks: once, again, in parts."""

import asyncio
from typing import Any

import pytest

from bridge.core import (
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
from bridge.flow import Backoff, Lane, Letter
from bridge.kafka import Troubles
from bridge.receivers.kafka.delivery import Delivery, Marking, make_batch
from bridge.receivers.kafka.poison import Poison, PoisonRules
from bridge.receivers.kafka.showing import Showing
from bridge.testing import FakeHost, FakeStage, ManualClock, RecordingMetrics, make_settings, settle
from tests.unit.receivers.kafka.lanes import route, started

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
