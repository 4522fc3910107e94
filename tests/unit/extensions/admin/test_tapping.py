"""The bounds of a tap."""

import asyncio
from typing import Any

from bridge.core import Batch, Origin, Record
from bridge.extensions.admin.tap_match import Matched, TapMatcher
from bridge.extensions.admin.tapping import EVENTS_MAX, OUTCOMES_S, SHOWN_BYTES_MAX, Tap
from bridge.testing import FakeCustody, ManualClock, trace_request


class Ticking(ManualClock):
    """A clock that work moves."""

    late_s = 0.0

    def monotonic(self) -> float:
        """With what work took."""
        return super().monotonic() + self.late_s


def batch(padding_bytes: int = 0) -> Batch:
    """One span."""
    made = trace_request(padding_bytes=padding_bytes)
    return Batch(made.signal, made.body, made.items, Origin("otlp"))


def tap(limit: int = 1000, matcher: Any = None, clock: ManualClock | None = None) -> Tap:
    """A tap that shows everything."""
    return Tap(matcher or TapMatcher(""), limit, clock or ManualClock())


async def test_batch_and_outcome_are_told_in_order() -> None:
    """With how long the stage took, and why it refused."""
    clock = ManualClock()
    one = tap(clock=clock)
    token = one.entered("exporters/otlp", batch())
    await clock.advance(0.25)
    one.left(token, RuntimeError("away"))
    first, second = await one.next(1.0), await one.next(1.0)

    assert first is not None
    assert second is not None
    assert (first.fields["stage"], first.fields["matched"]) == ("exporters/otlp", 1)
    assert first.matched is not None
    assert second.fields == {
        "event": "outcome",
        "number": 1,
        "outcome": "RuntimeError",
        "seconds": 0.25,
        "reason": "away",
    }


async def test_limit_ends_it_once_all_have_left() -> None:
    """Or are held for so long that they are not waited for."""
    clock = ManualClock()
    one = tap(limit=1, clock=clock)
    token = one.entered("s", batch())
    assert one.entered("s", batch()) is None
    await one.next(1.0)

    assert (one.seen, one.shown, one.complete) == (2, 1, False)
    await clock.advance(OUTCOMES_S)
    assert one.complete
    one.left(token, None)
    await one.next(1.0)
    assert one.complete


async def test_events_that_nobody_fetches_are_bounded() -> None:
    """What does not fit is counted, and nothing waits for room."""
    one = tap()
    for _ in range(EVENTS_MAX + 5):
        one.left(one.entered("s", batch()), None)

    # Each takes a place for the batch and one for its outcome.
    assert (one.seen, one.shown) == (EVENTS_MAX + 5, EVENTS_MAX // 2)
    assert one.missed == one.seen - one.shown


async def test_large_batches_are_told_and_not_kept() -> None:
    """Only their size."""
    one = tap()
    one.entered("s", batch(SHOWN_BYTES_MAX))
    event = await one.next(1.0)

    assert event is not None
    assert event.matched is None
    assert event.fields["too_large_bytes"] > SHOWN_BYTES_MAX


async def test_looking_takes_a_tenth_of_the_time_at_most() -> None:
    """What there is no time for is missed, until time has passed."""
    clock = Ticking()

    class Slow:
        def match(self, signal: object, body: bytes, items: int) -> Matched | None:
            clock.late_s += 0.1
            return None

    one = tap(matcher=Slow(), clock=clock)
    for _ in range(5):
        one.entered("s", batch())
    assert one.missed == 4
    await clock.advance(1.0)
    one.entered("s", batch())
    assert one.missed == 4


async def test_batch_from_kafka_names_its_records() -> None:
    """Topic, partition and offsets."""
    made = trace_request()
    record = Record(7, 1000, 0, len(made.body))
    origin = Origin("kafka", custody=FakeCustody("spans", 3), records=(record,))
    one = tap()
    one.entered("s", Batch(made.signal, made.body, made.items, origin))
    event = await one.next(1.0)

    assert event is not None
    assert [event.fields[name] for name in ("topic", "partition", "first_offset")] == [
        "spans",
        3,
        7,
    ]


async def test_nothing_comes_within_the_time() -> None:
    """None, so that whoever sends can find out whether somebody reads."""
    assert await asyncio.wait_for(tap().next(0.001), 5) is None
