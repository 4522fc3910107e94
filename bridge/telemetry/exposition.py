"""Prometheus text from the figures of a process."""

import math
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UnknownMetricFamily,
)
from prometheus_client.registry import Collector

from bridge.core import Counter, Histogram
from bridge.telemetry.registry import Family, MetricRegistry
from bridge.telemetry.table import Kind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(metrics: MetricRegistry) -> bytes:
    """
    All figures in the text format 0.0.4.

    Counters carry no ``_total``: a Collector with its default reader shows
    ``otelcol_receiver_accepted_spans``, and dashboards ask for that name. A gauge whose reader
    fails is left out; a scrape never fails for one figure.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Bridge(metrics))
    return _as_counters(generate_latest(registry), metrics)


def read_gauge(figure: Callable[[], float]) -> float | None:
    """The value of a gauge, or `None` if it cannot be read: no reason to show no others."""
    try:
        return float(figure())
    except Exception:  # noqa: BLE001 - see above
        return None


class _Bridge(Collector):
    def __init__(self, metrics: MetricRegistry) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        for family in self._metrics.families():
            yield _metric(family)


def _metric(family: Family) -> Metric:
    spec = family.spec
    names = sorted({name for series in family.series for name, _ in series})
    shown = {
        tuple(dict(series).get(name, "") for name in names): figure
        for series, figure in family.series.items()
    }
    if spec.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(spec.name, spec.meaning, labels=names)
        for values, figure in shown.items():
            assert isinstance(figure, Histogram)  # noqa: S101 - the family holds one kind
            histogram.add_metric(values, _buckets(figure), figure.sum)
        return histogram
    flat: Metric
    if spec.kind is Kind.COUNTER:
        # prometheus-client insists on `_total` for its counter family; the type is set below.
        flat = UnknownMetricFamily(spec.name, spec.meaning, labels=names)
    else:
        flat = GaugeMetricFamily(spec.name, spec.meaning, labels=names)
    for values, figure in shown.items():
        assert not isinstance(figure, Histogram)  # noqa: S101 - the family holds one kind
        value = figure.value if isinstance(figure, Counter) else read_gauge(figure)
        if value is not None:
            flat.add_metric(values, value)
    return flat


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    total, rows = 0, []
    for bound, count in zip((*histogram.bounds, math.inf), histogram.counts, strict=True):
        total += count
        rows.append(("+Inf" if bound == math.inf else repr(float(bound)), float(total)))
    return rows


def _as_counters(text: bytes, metrics: MetricRegistry) -> bytes:
    for family in metrics.families():
        if family.spec.kind is Kind.COUNTER:
            name = family.spec.name.encode()
            text = text.replace(b"# TYPE %s untyped\n" % name, b"# TYPE %s counter\n" % name, 1)
    return text
