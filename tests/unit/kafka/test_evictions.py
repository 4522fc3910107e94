"""A group that forgets a static member again and again has given its name away."""

import pytest
from aiokafka.errors import KafkaError

from bridge.kafka.evictions import (
    EVICTIONS_MAX,
    EVICTIONS_PER_S,
    EVICTIONS_SETTLED_MAX,
    Evictions,
    twin_of,
)


class Coordinator:
    """Stands for aiokafka's."""

    _heartbeat_interval_ms = 3000

    def __init__(self) -> None:
        self.resets = 0
        self.member_id = "a"

    def reset_generation(self) -> None:
        """Be forgotten."""
        self.resets += 1
        self.member_id = ""

    def evict(self) -> None:
        """Be told of it by a heartbeat and by a commit, and join again."""
        self.reset_generation()
        self.reset_generation()
        self.member_id = "b"


class Time:
    """Says what it is set to."""

    now_s = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


def test_evictions_in_a_row_mean_a_twin() -> None:
    """Each counts once, and after the last the client cannot join again."""
    coordinator = Coordinator()
    evictions = Evictions(coordinator, Time())
    for _ in range(EVICTIONS_MAX - 1):
        coordinator.evict()
    assert not evictions.too_many
    for _ in range(2):
        with pytest.raises(KafkaError):
            coordinator.reset_generation()

    assert evictions.too_many
    assert coordinator.member_id == "b"


def test_twin_that_came_later_keeps_away() -> None:
    """Each throws out the other in turn, the older one first: the newer one gives up first."""
    time = Time()
    older = Coordinator()
    of_older = Evictions(older, time)
    time.now_s = 60.0
    newer = Coordinator()
    of_newer = Evictions(newer, time)
    for _ in range(EVICTIONS_MAX - 1):
        for one in (older, newer):
            time.now_s += 3.0
            one.evict()
    older.evict()
    with pytest.raises(KafkaError):
        newer.reset_generation()

    assert of_newer.too_many
    assert not of_older.too_many


def test_twin_of_long_standing_keeps_away_if_the_other_does_not() -> None:
    """Twins of the same age come to rest too."""
    coordinator, time = Coordinator(), Time()
    evictions = Evictions(coordinator, time)
    time.now_s = 60.0
    for _ in range(EVICTIONS_SETTLED_MAX - 1):
        coordinator.evict()
    with pytest.raises(KafkaError):
        coordinator.reset_generation()

    assert evictions.too_many


def test_evictions_far_apart_mean_a_slow_machine() -> None:
    """Whoever was silent for a session timeout is forgotten too."""
    coordinator, time = Coordinator(), Time()
    evictions = Evictions(coordinator, time)
    for _ in range(3 * EVICTIONS_MAX):
        time.now_s += EVICTIONS_PER_S / (EVICTIONS_MAX - 1)
        coordinator.evict()

    assert not evictions.too_many


def test_twin_is_named_with_what_to_do() -> None:
    """Its name, its group, and how names are made different."""
    error = twin_of("web-1", "processing")

    assert "group processing has the group_instance_id web-1" in str(error)
    assert "of its own" in error.hint
