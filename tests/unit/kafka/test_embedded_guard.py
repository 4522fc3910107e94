"""The guard before the embedded broker's silent retention."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import Overloaded
from bridge.kafka.embedded_guard import EmbeddedGuard, guard_of, register, unregister


def _write(guard: EmbeddedGuard, size: int, offset_next: int | None) -> None:
    guard.admit("t", 0, size)
    guard.written("t", 0, size, offset_next)


def test_guard_full_of_bytes_refuses_with_hint() -> None:
    """The batch that would go over the limit is refused with a delay, and charges nothing."""
    guard = EmbeddedGuard(bytes_max=100)
    _write(guard, 60, 1)

    with pytest.raises(Overloaded, match="t/0 holds 60 bytes in 1 batches") as raised:
        guard.admit("t", 0, 41)

    assert raised.value.retry_after_s == 1.0
    assert guard.held("t", 0) == (60, 1)


def test_guard_full_of_batches_refuses() -> None:
    """The number of batches is bounded as well as their bytes, those under way included."""
    guard = EmbeddedGuard(batches_max=2)
    _write(guard, 1, 1)
    guard.admit("t", 0, 1)

    with pytest.raises(Overloaded):
        guard.admit("t", 0, 1)


def test_guard_other_partition_has_its_own_room() -> None:
    """A full partition does not refuse what goes to its neighbour."""
    guard = EmbeddedGuard(bytes_max=10)
    _write(guard, 10, 1)

    guard.admit("t", 1, 10)

    assert guard.held("t", 1) == (10, 1)


def test_guard_commit_frees_exactly_what_it_passed() -> None:
    """A commit in the middle of a batch leaves that batch held."""
    guard = EmbeddedGuard()
    _write(guard, 10, 5)
    _write(guard, 20, 9)
    _write(guard, 40, 12)

    guard.committed("t", 0, 8)

    assert guard.held("t", 0) == (60, 2)


def test_guard_unknown_write_is_held_until_later_commit() -> None:
    """A batch whose answer was lost counts until one after it is committed."""
    guard = EmbeddedGuard()
    _write(guard, 10, 1)
    _write(guard, 20, None)

    guard.committed("t", 0, 1)
    before = guard.held("t", 0)
    _write(guard, 40, 4)
    guard.committed("t", 0, 4)

    assert before == (20, 1)
    assert guard.held("t", 0) == (0, 0)


def test_guard_withdrawn_batch_frees_its_room() -> None:
    """What was certainly not written counts no more."""
    guard = EmbeddedGuard(bytes_max=10)
    guard.admit("t", 0, 10)

    guard.withdraw("t", 0, 10)

    assert guard.held("t", 0) == (0, 0)


def test_guard_write_told_after_its_commit_holds_nothing() -> None:
    """A consumer that is quicker than the producer's answer leaves no charge behind."""
    guard = EmbeddedGuard()
    guard.admit("t", 0, 10)
    guard.committed("t", 0, 3)

    guard.written("t", 0, 10, 3)

    assert guard.held("t", 0) == (0, 0)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(1, 50), st.integers(1, 4)),
            st.tuples(st.just("commit"), st.integers(0, 60), st.just(0)),
        ),
        max_size=60,
    )
)
def test_guard_admitted_batch_outlives_retention(steps: list[tuple[str, int, int]]) -> None:
    """A log that forgets its oldest batches over 125 bytes never forgets one not committed."""
    guard = EmbeddedGuard(bytes_max=100, batches_max=8)
    stored: list[tuple[int, int]] = []
    end = committed = 0
    for kind, amount, records in steps:
        if kind == "commit":
            committed = max(committed, min(amount, end))
            guard.committed("t", 0, committed)
            continue
        try:
            guard.admit("t", 0, amount)
        except Overloaded:
            continue
        end += records
        stored.append((end, amount))
        guard.written("t", 0, amount, end)
        while sum(size for _, size in stored) > 125 or len(stored) > 10:
            offset_next, _ = stored.pop(0)
            assert offset_next <= committed


def test_guard_of_running_broker_is_found_by_any_address() -> None:
    """The producer finds the guard by the address in its config, and nobody else's."""
    guard = EmbeddedGuard()
    register("127.0.0.1:1,127.0.0.1:2", guard)

    found = guard_of(["127.0.0.1:2"])
    unregister("127.0.0.1:1,127.0.0.1:2")

    assert found is guard
    assert guard_of(["127.0.0.1:2", "kafka:9092"]) is None
