"""The figures of a stage that gathers traces."""

from bisect import bisect_left
from dataclasses import dataclass

from bridge.core import Counter, Histogram, Settings, Signal
from bridge.flow import OF_GATHERING, Account
from bridge.processors._gathering.decision import Decision

CAUSES = ("memory", "num_traces", "trace_size", "shutdown")
"""Why a trace is decided before its time."""


ODDITIES = ("equal_span_id", "ends_before_start", "time")
"""What may be odd about a sampled span; ``time``: it begins in another century."""


def observe_many(histogram: Histogram, value: float, count: int) -> None:
    """Count *value* *count* times."""
    histogram.counts[bisect_left(histogram.bounds, value)] += count
    histogram.sum += value * count


@dataclass(frozen=True, slots=True)
class Shared:
    """The figures that the Collector has too, under names that differ by component."""

    decisions: dict[Decision, Counter]
    new_traces: Counter
    early_releases: dict[bool, Counter]
    """Spans that followed an earlier decision, by whether it was to sample."""
    late_age: Histogram
    """Seconds from the decision to a late span."""
    removal_age: Histogram
    """Seconds from the first span to the decision."""
    timer: Histogram
    """Milliseconds that one round of decisions took."""
    too_large: Counter


class Telemetry:
    """
    The figures of one stage.

    Args:
        kind:
            The component's part in the names of our own figures.
    """

    def __init__(self, settings: Settings, kind: str, shared: Shared) -> None:
        self.shared = shared
        self.prefix = f"bridge_processor_{kind}_"
        self.labels = {"processor": str(settings.id), "pipeline": settings.pipeline}
        self._metrics = settings.metrics
        component = f"processors/{settings.id}@{settings.pipeline}"
        self.account = Account(settings.metrics, component, Signal.TRACES, OF_GATHERING)
        self.early = {cause: self._own("early_decisions", cause=cause) for cause in CAUSES}
        self.odd = {oddity: self._own("odd_spans", oddity=oddity) for oddity in ODDITIES}
        self.without_id = self._own("spans_without_trace_id")
        self.interleaved = self._own("interleaved_ranges")
        self.replayed = self._own("replayed_records")
        self.context_ranges = self._own("context_ranges")
        self.refused_spans = self._own("refused_spans")
        self.delivery_retries = self._own("delivery_retries")
        self.delivered_spans = self._own("delivered_spans")
        self.decisions_written = self._own("decisions_written")
        self.decisions_read = self._own("decisions_read")
        self.decisions_unread = self._own("decisions_unread_partitions")
        self.decision_write_failures = self._own("decision_write_failures")
        self.dropped_at_stop = self._own("traces_dropped_at_shutdown")

    def _own(self, name: str, **labels: str) -> Counter:
        return self._metrics.counter(self.prefix + name, {**self.labels, **labels})
