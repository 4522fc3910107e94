"""Records that can never be delivered."""

import asyncio
from typing import Any

import pytest

from bridge.core import Denied, Malformed, Refused, Settings, State, Status, TooLarge, Unavailable
from bridge.flow import Backoff, Letter, Unreadable
from bridge.kafka import Troubles
from bridge.receivers.kafka.poison import Poison, PoisonRules, offset_stop
from bridge.receivers.kafka.showing import Showing
from bridge.testing import FakeStage, ManualClock, RecordingMetrics, make_settings, settle
from tests.unit.receivers.kafka.lanes import route, source_record, started

BACKOFF = Backoff(1.0, 2.0, 0.0, 8.0, 300.0)


class Letters:
    """Keeps letters, or answers as told."""

    def __init__(self, *answers: Exception) -> None:
        self.answers = list(answers)
        self.kept: list[Letter] = []

    async def put(self, letter: Letter) -> None:
        if self.answers:
            raise self.answers.pop(0)
        self.kept.append(letter)


class Rig:
    """A poison desk and what it did."""

    def __init__(self, letters: Letters | None = None, drop: bool = False) -> None:
        self.clock, self.metrics = ManualClock(), RecordingMetrics()
        self.settings: Settings = make_settings("kafka", clock=self.clock, metrics=self.metrics)
        self.reports: list[Status] = []
        self.showing = Showing()
        self.poison = Poison(
            self.settings,
            PoisonRules(letters, drop, "processing"),
            BACKOFF,
            Troubles(self.reports.append, "processing", ""),
            self.showing,
            lambda: 1.0,
        )
        self.route = route(self.settings, FakeStage())
        self.lane, self.chunk = started()

    async def set_aside(self) -> None:
        error = Refused("too odd")
        await self.poison.set_aside(self.lane, self.chunk.entries[0], error, self.route, 50.0)


async def test_poison_is_written_and_finished() -> None:
    """Once the letter is safe, the partition goes on."""
    rig = Rig(letters := Letters())

    await rig.set_aside()

    (letter,) = letters.kept
    (shown,) = rig.showing.details()["dead_letters"]["latest"]
    assert (shown["offset"], shown["reason"], shown["error"]) == (0, "Refused", "too odd")
    assert (letter.topic, letter.partition, letter.offset, letter.offset_stop) == ("spans", 2, 0, 1)
    assert (letter.error, letter.reason, letter.group) == ("Refused", "too odd", "processing")
    assert (letter.value, letter.timestamp_ms, letter.first_seen_s) == (b"body", 1000, 50.0)
    assert rig.lane.book.committed == 1
    assert rig.metrics.value("bridge_kafka_receiver_dead_letters") == 1


async def test_poison_without_letters_holds_the_lane() -> None:
    """Nothing is dropped without being asked: the status says what holds and what to type."""
    rig = Rig()

    await rig.set_aside()

    (status,) = rig.reports
    assert rig.lane.stuck == {0: "too odd"}
    assert rig.lane.book.committed == 0
    assert (status.state, status.subject) == (State.PERMANENT, "spans/2")
    assert "otlp-bridge dlq skip spans/2@0" in status.hint


async def test_poison_is_dropped_when_the_rules_say_so() -> None:
    """`message_marking.on_permanent_error` drops, counted."""
    rig = Rig(drop=True)

    await rig.set_aside()

    dropped = rig.metrics.value("bridge_kafka_receiver_dropped_items", rule="on_permanent_error")
    assert (dropped, rig.lane.book.committed) == (2, 1)


@pytest.mark.parametrize(("error", "wait_s"), [(Unavailable("x"), 1.0), (Denied("x"), 30.0)])
async def test_poison_letter_is_tried_again_without_end(error: Exception, wait_s: float) -> None:
    """A letter that cannot be written now waits, longer if somebody has to act."""
    rig = Rig(letters := Letters(error))
    task = asyncio.ensure_future(rig.set_aside())
    await rig.clock.wait_sleeping()

    await rig.clock.advance(wait_s - 0.1)

    assert letters.kept == []

    await rig.clock.advance(0.1)
    await task

    assert len(letters.kept) == 1


async def test_poison_that_fits_no_letter_holds() -> None:
    """A letter that can never be written leaves the record where it is."""
    rig = Rig(Letters(TooLarge("above max.message.bytes")))

    await rig.set_aside()

    assert rig.lane.stuck == {0: "above max.message.bytes"}


async def test_poison_in_a_draining_lane_is_left() -> None:
    """When the partition goes, the record is left to the next owner, neither held nor finished."""
    rig = Rig(letters := Letters(Unavailable("x")))
    task = asyncio.ensure_future(rig.set_aside())
    await rig.clock.wait_sleeping()
    rig.lane.drain()
    await rig.clock.advance(1.0)
    await task

    assert (letters.kept, rig.lane.stuck, rig.lane.book.committed) == ([], {}, 0)

    await settle()
    bare = Rig()
    bare.lane.drain()
    await bare.set_aside()

    assert bare.lane.stuck == {}


def test_offset_stop_covers_damaged_batches() -> None:
    """A damaged batch stands for all its offsets, a record for one."""
    damaged: Any = Unreadable("spans", 2, 3, 9, 0)

    assert (offset_stop(damaged), offset_stop(source_record(3))) == (9, 4)
    assert Malformed("x")
