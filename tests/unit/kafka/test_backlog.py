"""Who may still come: by bytes, and by the time that what waits will take."""

from contextlib import suppress

import pytest

from bridge.core import Overloaded, SystemClock
from bridge.kafka.backlog import FREE_BYTES, Backlog, BacklogLimits

MIB = 1024 * 1024


class Hands(SystemClock):
    """A clock that only we move; nobody sleeps here."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Move it."""
        self.now_s += seconds


def offered(backlog: Backlog, clock: Hands, *, pace: int, seconds: float) -> list[int]:
    """
    Offer ten times *pace* bytes a second while Kafka takes *pace*, in steps of 10 ms.

    Gives what was held after each step.
    """
    held = []
    for _ in range(round(seconds * 100)):
        clock.advance(0.01)
        done = min(pace // 100, backlog.held_bytes)
        backlog.written(done)
        backlog.release(done)
        for _ in range(10):
            try:
                backlog.admit(pace // 100)
            except Overloaded:
                break
        held.append(backlog.held_bytes)
    return held


def test_what_waits_under_overload_takes_as_long_as_allowed() -> None:
    """After the first second, which is taken whole, the backlog is what Kafka takes in 0.5 s."""
    clock = Hands()
    backlog = Backlog(BacklogLimits(1 << 40, 0.5), clock)

    held = offered(backlog, clock, pace=10 * MIB, seconds=20)[1000:]
    assert min(held) > 4 * MIB
    assert max(held) < 6 * MIB


def test_backlog_without_a_bound_in_time_grows_to_its_bytes() -> None:
    """0 seconds switches it off."""
    clock = Hands()
    backlog = Backlog(BacklogLimits(64 * MIB), clock)

    assert max(offered(backlog, clock, pace=10 * MIB, seconds=5)) > 63 * MIB


def test_burst_after_quiet_is_taken_whole() -> None:
    """A little that went slowly says nothing about a lot."""
    clock = Hands()
    backlog = Backlog(BacklogLimits(64 * MIB, 0.5), clock)
    for _ in range(100):
        backlog.admit(1000)
        clock.advance(0.1)
        backlog.written(1000)
        backlog.release(1000)
    for _ in range(60):
        backlog.admit(MIB)
        clock.advance(0.001)

    assert backlog.held_bytes == 60 * MIB


def test_hiccup_of_half_a_second_is_waited_for() -> None:
    """Kafka takes nothing for a moment and then all of it: nobody is refused."""
    clock = Hands()
    backlog = Backlog(BacklogLimits(1 << 40, 0.5), clock)
    for tick in range(1000):
        clock.advance(0.01)
        backlog.admit(MIB // 2)
        if tick % 200 >= 45:
            done = max(0, backlog.held_bytes - 2 * MIB)
            backlog.written(done)
            backlog.release(done)

    assert backlog.held_bytes == 2 * MIB


def test_lumps_of_acknowledgements_do_not_let_an_overload_in_again() -> None:
    """Kafka takes everything that waits four times a second, a limited lot: no second burst."""
    clock = Hands()
    backlog = Backlog(BacklogLimits(1 << 40, 0.5), clock)
    held = []
    for tick in range(3000):
        clock.advance(0.01)
        if tick % 25 == 0:
            done = min(4 * MIB, backlog.held_bytes)
            backlog.written(done)
            backlog.release(done)
        with suppress(Overloaded):
            backlog.admit(MIB)
        held.append(backlog.held_bytes)

    assert max(held[1500:]) < 14 * MIB


def test_slow_way_is_no_overload() -> None:
    """What takes three flights is taken, however long a flight is."""
    clock = Hands()
    backlog = Backlog(BacklogLimits(1 << 40, 0.5), clock)
    went = clock.monotonic()
    clock.advance(2.0)
    backlog.flew(went)

    held = offered(backlog, clock, pace=10 * MIB, seconds=20)[1500:]
    assert min(held) > 58 * MIB
    assert max(held) < 64 * MIB


def test_long_flights_of_an_overload_do_not_widen_the_bound_at_once() -> None:
    """After five minutes without one that was as short, the known one doubles, no more."""
    clock = Hands()
    backlog = Backlog(BacklogLimits(1 << 40, 0.5), clock)
    for seconds in (0.3, 300.0):
        went = clock.monotonic()
        clock.advance(seconds)
        backlog.flew(went)

    held = offered(backlog, clock, pace=10 * MIB, seconds=20)[1500:]
    assert max(held) < 20 * MIB


def test_standstill_is_refused_above_what_is_free() -> None:
    """Kafka takes nothing: a second later nothing more is taken than is free of judgement."""
    clock = Hands()
    backlog = Backlog(BacklogLimits(64 * MIB, 0.5), clock)
    backlog.admit(FREE_BYTES)
    backlog.admit(1)
    backlog.admit(1)
    clock.advance(0.6)
    backlog.admit(1)
    clock.advance(0.6)

    with pytest.raises(Overloaded, match="takes 0 bytes/s: more than"):
        backlog.admit(1)
    backlog.release(3)
    backlog.admit(1)


def test_patient_request_is_taken_whatever_waits() -> None:
    """What Kafka keeps loses nothing by waiting: only bytes count."""
    clock = Hands()
    backlog = Backlog(BacklogLimits(8 * MIB, 0.5), clock)
    for _ in range(4):
        backlog.admit(MIB)
        clock.advance(1.0)
    with pytest.raises(Overloaded, match="max_wait"):
        backlog.admit(MIB)
    backlog.admit(MIB, patient=True)

    with pytest.raises(Overloaded, match="max_buffered_bytes"):
        backlog.admit(4 * MIB, patient=True)


def test_copies_of_what_was_taken_are_charged_whatever_waits() -> None:
    """Whoever is in is not asked again how long it takes, only how much it is."""
    clock = Hands()
    backlog = Backlog(BacklogLimits(4 * MIB, 0.5), clock)
    for _ in range(3):
        backlog.admit(MIB)
    clock.advance(1.0)
    backlog.admit(1000, own_bytes=MIB)

    with pytest.raises(Overloaded, match="max_buffered_bytes"):
        backlog.admit(MIB, own_bytes=MIB)
    assert backlog.held_bytes == 3 * MIB + 1000
