"""Remembering decisions."""

from bridge.processors._gathering.cache import DecisionCache


def test_cache_remembers_the_latest_ids() -> None:
    """At least as many as its size, and at most twice as many."""
    cache = DecisionCache(3)
    for number in range(20):
        cache.add(bytes([number]), float(number))

    assert [cache.get(bytes([number])) for number in (17, 18, 19)] == [17.0, 18.0, 19.0]
    assert cache.get(b"\x05") is None
    assert len(cache) <= 6


def test_cache_keeps_what_is_asked_for() -> None:
    """An id that is used outlives others that came later."""
    cache = DecisionCache(2)
    cache.add(b"used", 1.0)
    for number in range(10):
        cache.add(bytes([number]), 2.0)
        cache.get(b"used")

    assert cache.get(b"used") == 1.0


def test_cache_of_size_zero_remembers_nothing() -> None:
    """Zero switches it off."""
    cache = DecisionCache(0)
    cache.add(b"id", 1.0)

    assert cache.get(b"id") is None
