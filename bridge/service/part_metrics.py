"""The figures of one part, which end with it."""

from collections.abc import Callable

from bridge.core import Counter, Histogram, Labels
from bridge.telemetry import MetricRegistry


class PartMetrics:
    """
    The `Metrics` that one part is given.

    Counters outlive it, as they must never fall. What it shows by a reader ends with it, unless a
    successor of the same name has taken the series over meanwhile.
    """

    def __init__(self, registry: MetricRegistry) -> None:
        self._registry = registry
        self._readers: dict[tuple[str, tuple[tuple[str, str], ...]], Callable[[], float]] = {}

    def counter(self, name: str, labels: Labels | None = None) -> Counter:
        """The counter that all parts of these labels share."""
        return self._registry.counter(name, labels)

    def histogram(self, name: str, labels: Labels | None = None) -> Histogram:
        """The histogram that all parts of these labels share."""
        return self._registry.histogram(name, labels)

    def gauge(self, name: str, labels: Labels | None, read: Callable[[], float]) -> None:
        """Show what *read* returns, until this part ends."""
        self._readers[name, tuple((labels or {}).items())] = read
        self._registry.gauge(name, labels, read)

    def forget(self, name: str, labels: Labels | None = None) -> None:
        """Stop showing one series of this part; another's stays."""
        read = self._readers.pop((name, tuple((labels or {}).items())), None)
        shown = self._registry.figure(name, labels)
        if read is not None and shown is not read and callable(shown):
            return
        self._registry.forget(name, labels)

    def release(self) -> None:
        """Stop showing whatever this part showed."""
        for name, labels in list(self._readers):
            self.forget(name, dict(labels))
