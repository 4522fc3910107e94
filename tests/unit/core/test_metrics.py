"""Counters and histograms as plain figures."""

from bridge.core import Counter, Histogram


def test_counter_adds_up() -> None:
    """`add` and `value` are the same figure."""
    counter = Counter()
    counter.add()
    counter.value += 4

    assert counter.value == 5
    assert repr(counter) == "Counter(5)"


def test_histogram_bounds_are_inclusive() -> None:
    """A value equal to a bound falls into that bucket, one above all bounds into the last."""
    histogram = Histogram([1, 5])
    for value in (0.5, 1, 1.1, 5, 6):
        histogram.observe(value)

    assert histogram.counts == [2, 2, 1]
    assert histogram.sum == 13.6
