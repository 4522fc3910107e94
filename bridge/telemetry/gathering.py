"""
The figures of several processes on one page.

Counters and histograms of workers are added up, and what an ended worker had counted stays in the
sum: a sum that fell would look like a restart to Prometheus, and its rates would jump. Gauges keep
one series a worker, since a sum of ages, states or limits says nothing; PromQL adds up the others.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.core import Counter, Histogram
from bridge.telemetry.exposition import read_gauge
from bridge.telemetry.metric_spec import Kind, MetricSpec
from bridge.telemetry.registry import MetricRegistry
from bridge.telemetry.table import METRICS

Snapshot = Sequence[Sequence[Any]]
"""Rows of name, kind, meaning, bounds, labels and value, as JSON can carry them."""

_OF_ONE_PROCESS = frozenset(("otelcol_process_uptime",))
"""Counters whose sum over processes means nothing: only the parent's is shown."""


def snapshot(metrics: MetricRegistry) -> Snapshot:
    """All figures as they are now; a gauge that cannot be read is left out."""
    rows: list[Sequence[Any]] = []
    for family in metrics.families():
        spec = family.spec
        for labels, figure in family.series.items():
            value: Any
            if isinstance(figure, Histogram):
                value = [list(figure.counts), figure.sum]
            else:
                value = figure.value if isinstance(figure, Counter) else read_gauge(figure)
            if value is not None:
                rows.append(
                    (spec.name, spec.kind.value, spec.meaning, spec.bounds, dict(labels), value)
                )
    return rows


class Gathered:
    """
    The latest figures of every worker.

    Args:
        own:
            Of the parent itself; shown unchanged.
    """

    def __init__(self, own: MetricRegistry) -> None:
        self._own = own
        self._latest: dict[int, Snapshot] = {}
        self._ended = MetricRegistry(strict=False)

    def update(self, worker: int, figures: Snapshot) -> None:
        """What *worker* has counted since it started."""
        self._latest[worker] = [row for row in figures if row[0] not in _OF_ONE_PROCESS]

    def end(self, worker: int) -> None:
        """
        The worker has ended: its counts stay, as last seen, and its gauges go.

        What it had in flight was given back with it: Kafka and senders without an answer have it.
        """
        figures = self._latest.pop(worker, ())
        _add(self._ended, figures, None)
        for name, _, _, _, labels, value in figures:
            if name == "bridge_ledger_in_flight_items":
                returned = {**labels, "column": "returned"}
                self._ended.counter("bridge_ledger_items", returned).add(value)

    def ended(self) -> Snapshot:
        """What workers had counted that have ended."""
        return snapshot(self._ended)

    def page(self) -> MetricRegistry:
        """Everything, to be rendered."""
        page = MetricRegistry(METRICS, strict=False)
        _add(page, snapshot(self._ended), None)
        for worker, figures in sorted(self._latest.items()):
            _add(page, figures, {"worker": str(worker)})
        _add(page, snapshot(self._own), {})
        return page


def _add(page: MetricRegistry, figures: Snapshot, of_gauges: Mapping[str, str] | None) -> None:
    """Add *figures*, gauges with more labels *of_gauges*; without those, only what is summed."""
    for name, kind_text, meaning, bounds, labels, value in figures:
        kind = Kind(kind_text)
        page.declare(MetricSpec(name, kind, meaning, bounds=tuple(bounds)))
        if kind is Kind.COUNTER:
            page.counter(name, labels).add(value)
        elif kind is Kind.HISTOGRAM:
            _add_histogram(page.histogram(name, labels), *value)
        elif of_gauges is not None:
            page.gauge(name, {**labels, **of_gauges}, _constant(value))


def _add_histogram(total: Histogram, counts: Sequence[int], sum_: float) -> None:
    for at, count in enumerate(counts):
        total.counts[at] += count
    total.sum += sum_


def _constant(value: float) -> Callable[[], float]:
    return lambda: value
