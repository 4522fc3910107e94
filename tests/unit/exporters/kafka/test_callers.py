"""The most callers at a time are expected again, for a while."""

import random

import pytest

from bridge.exporters.kafka.callers import SEEN_S, Callers


def test_most_that_waited_are_expected() -> None:
    """Also after they were answered."""
    callers = Callers()
    callers.look(0.0)
    for _ in range(5):
        callers.came()
    for _ in range(4):
        callers.left()
    callers.look(0.5)

    assert (callers.waiting, callers.expected) == (1, 5)


def test_nobody_seen_expects_one() -> None:
    """The first request ever waits for no other."""
    callers = Callers()
    assert callers.expected == 1
    callers.came()
    callers.look(0.0)
    assert callers.expected == 1


def test_who_left_is_expected_for_a_while() -> None:
    """One span of time as the present one, one as that before; then only who is left."""
    callers = Callers()
    callers.look(0.0)
    for _ in range(5):
        callers.came()
    for _ in range(3):
        callers.left()
    callers.look(SEEN_S * 1.01)
    assert callers.expected == 5
    callers.look(SEEN_S * 2.02)
    assert callers.expected == 2


def test_long_silence_is_forgotten_at_once() -> None:
    """Whoever sends alone after a while does not wait for a crowd of the past."""
    callers = Callers()
    callers.look(0.0)
    for _ in range(5):
        callers.came()
    for _ in range(5):
        callers.left()
    callers.came()
    callers.look(SEEN_S * 2)

    assert callers.expected == 1


@pytest.mark.parametrize("rate", [100, 1000, 10_000])
def test_senders_who_do_not_wait_seldom_complete_a_crowd(rate: int) -> None:
    """Requests at random times: the linger is cut short in fewer than one of ten cases."""
    linger_s, flight_s, seconds = 0.01, 0.004, 30.0
    chance, callers = random.Random(1), Callers()
    now_s, gathered, ends_s = 0.0, 0, 0.0
    under_way: list[tuple[float, int]] = []
    flushes = early = 0
    while now_s < seconds:
        now_s += chance.expovariate(rate)
        if gathered and now_s >= ends_s:
            flushes += 1
            under_way.append((ends_s + flight_s, gathered))
            gathered = 0
        while under_way and under_way[0][0] <= now_s:
            for _ in range(under_way.pop(0)[1]):
                callers.left()
        callers.came()
        if not gathered:
            callers.look(now_s)
            ends_s = now_s + linger_s
        gathered += 1
        if gathered >= callers.expected:
            flushes, early = flushes + 1, early + 1
            under_way.append((now_s + flight_s, gathered))
            gathered = 0

    assert early < flushes / 10
