"""Deadlines on a clock driven by hand."""

from bridge.core import Deadline, SystemClock


class Hand:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_deadline_counts_down_to_zero() -> None:
    """What remains shrinks with the clock and never goes below zero."""
    clock = Hand()
    deadline = Deadline.after(2.0, clock)

    assert deadline.remaining_s == 2.0
    clock.now_s += 1.5
    assert deadline.remaining_s == 0.5
    assert not deadline.expired
    clock.now_s += 5
    assert deadline.remaining_s == 0.0
    assert deadline.expired


async def test_system_clock_moves_forward() -> None:
    """The system's clock never goes back, and a sleep of nothing returns."""
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)

    assert clock.monotonic() >= before
    assert clock.wall() > 1_700_000_000
