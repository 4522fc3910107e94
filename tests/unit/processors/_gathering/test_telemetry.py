"""Figures counted many at a time."""

from bridge.core import Histogram
from bridge.processors._gathering.telemetry import observe_many


def test_observe_many_counts_as_often() -> None:
    """One call does what so many observations would."""
    many, single = Histogram((1.0, 5.0)), Histogram((1.0, 5.0))
    observe_many(many, 3.0, 4)
    for _ in range(4):
        single.observe(3.0)

    assert (single.counts, single.sum) == (many.counts, many.sum)
