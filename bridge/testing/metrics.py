"""Figures that a test reads back."""

from collections.abc import Callable

from bridge.core import Counter, Histogram, Labels

_Key = tuple[str, tuple[tuple[str, str], ...]]

BOUNDS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Bounds of every recorded histogram; tests look at counts and sums."""


class RecordingMetrics:
    """Fulfils `bridge.core.Metrics`; knows no table, so every name is welcome."""

    def __init__(self) -> None:
        # What changes: a series appears when somebody asks for it.
        self._counters: dict[_Key, Counter] = {}
        self._histograms: dict[_Key, Histogram] = {}
        self._gauges: dict[_Key, Callable[[], float]] = {}

    def counter(self, name: str, labels: Labels | None = None) -> Counter:
        """The counter, the same object each time."""
        return self._counters.setdefault(_key(name, labels), Counter())

    def histogram(self, name: str, labels: Labels | None = None) -> Histogram:
        """The histogram, the same object each time."""
        return self._histograms.setdefault(_key(name, labels), Histogram(BOUNDS))

    def gauge(self, name: str, labels: Labels | None, read: Callable[[], float]) -> None:
        """Keep the reader; a later one replaces it."""
        self._gauges[_key(name, labels)] = read

    def forget(self, name: str, labels: Labels | None = None) -> None:
        """Drop one series."""
        key = _key(name, labels)
        self._counters.pop(key, None)
        self._histograms.pop(key, None)
        self._gauges.pop(key, None)

    def value(self, name: str, **labels: str) -> float:
        """
        The sum of the counters, or else of the gauges, named *name* whose labels include *labels*.

        Zero when there is no such series, as a scrape would have it.
        """
        wanted = set(labels.items())

        def fits(key: _Key) -> bool:
            return key[0] == name and wanted <= set(key[1])

        counters = [counter.value for key, counter in self._counters.items() if fits(key)]
        gauges = [read() for key, read in self._gauges.items() if fits(key)]
        return sum(counters) if counters else sum(gauges)

    def names(self) -> set[str]:
        """Every name that was asked for, for checks against the table of metrics."""
        return {name for name, _ in (*self._counters, *self._histograms, *self._gauges)}

    def series(self, name: str) -> list[dict[str, str]]:
        """The labels of every series of *name*."""
        keys = (*self._counters, *self._histograms, *self._gauges)
        return [dict(labels) for found, labels in keys if found == name]


def _key(name: str, labels: Labels | None) -> _Key:
    return name, tuple(sorted((labels or {}).items()))
