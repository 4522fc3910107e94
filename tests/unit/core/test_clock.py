"""Deadlines on a clock driven by hand."""

import pytest

from bridge.core import Deadline, SteadyWall, SystemClock


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


class Set(Hand):
    """A machine's clock that somebody sets."""

    off_s = 0.0

    def wall(self) -> float:
        return self.now_s + self.off_s


def test_steady_wall_of_a_jumping_clock_takes_no_more_than_the_time_that_passed() -> None:
    """An hour ahead or behind is made good by a tenth of each second."""
    for jump_s, expected_s in ((3600.0, 11.0), (-3600.0, 9.0)):
        clock = Set()
        wall = SteadyWall(clock)
        start_s = wall.now()
        clock.off_s = jump_s
        clock.now_s += 10

        assert wall.now() - start_s == pytest.approx(expected_s)


def test_steady_wall_of_a_disciplined_clock_follows_it() -> None:
    """Corrections of up to a quarter of a second are taken at once."""
    clock = Set()
    wall = SteadyWall(clock)
    clock.off_s = 0.2
    clock.now_s += 1

    assert wall.now() == pytest.approx(clock.wall())


def test_steady_wall_of_a_clock_set_back_to_the_truth_returns_to_it() -> None:
    """A jump that is undone leaves no difference behind for longer than it takes to slew."""
    clock = Set()
    wall = SteadyWall(clock)
    clock.off_s = 3600.0
    clock.now_s += 10
    wall.now()
    clock.off_s = 0.0
    clock.now_s += 10

    assert wall.now() == pytest.approx(clock.wall())
