"""
Figures as plain integers on the objects that count.

A component asks `Metrics` for a counter once, when it is built, and adds to `value` afterwards: no
lock, no lookup, no allocation on the hot path. `bridge/telemetry` reads them when it is scraped;
the table of all names, with unit and meaning, is `bridge/telemetry/table.py`.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

Labels = Mapping[str, str]


class Counter:
    """A number that only grows. Add to `value`, or call `add`."""

    __slots__ = ("__weakref__", "value")

    def __init__(self) -> None:
        self.value: int | float = 0

    def add(self, amount: int | float = 1) -> None:
        """Grow by *amount*, which is not negative."""
        self.value += amount

    def __repr__(self) -> str:
        return f"Counter({self.value})"


class Histogram:
    """Counts of observations per bucket; `bounds` are inclusive upper limits, ascending."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count *value* in its bucket."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Metrics(Protocol):
    """
    Where a component gets its counters from.

    Every method is called while components are built or when a label value first appears, never
    per batch. Asking again for the same name and labels gives the same object.

    Raises:
        KeyError: If the table of metrics does not know the name.
    """

    def counter(self, name: str, labels: Labels | None = None) -> Counter:
        """The counter *name* (without the Prometheus suffix ``_total``)."""
        ...

    def histogram(self, name: str, labels: Labels | None = None) -> Histogram:
        """The histogram *name*, with the bounds that the table gives it."""
        ...

    def gauge(self, name: str, labels: Labels | None, read: Callable[[], float]) -> None:
        """Show what *read* returns whenever somebody looks; a later call replaces the reader."""
        ...

    def forget(self, name: str, labels: Labels | None = None) -> None:
        """Stop showing one series, as when a partition was revoked. Unknown series are ignored."""
        ...
