"""Prometheus text as a Collector with its default reader writes it."""

import json
from pathlib import Path

from bridge.telemetry import METRICS, Kind, MetricRegistry, MetricSpec, render

COLLECTOR = json.loads(
    (Path(__file__).parents[2] / "conformance/data/collector_metrics.json").read_text()
)["metrics"]


def _registry() -> MetricRegistry:
    return MetricRegistry(
        {
            "otelcol_hits": MetricSpec("otelcol_hits", Kind.COUNTER, "Hits."),
            "sizes": MetricSpec("sizes", Kind.HISTOGRAM, "Sizes.", bounds=(1, 10)),
            "depth": MetricSpec("depth", Kind.GAUGE, "Depth."),
        }
    )


def test_counter_has_no_total_suffix() -> None:
    """The default reader of a Collector shows counters under their bare name."""
    registry = _registry()
    registry.counter("otelcol_hits", {"receiver": "otlp"}).add(2)
    text = render(registry).decode()

    assert 'otelcol_hits{receiver="otlp"} 2.0' in text.splitlines()
    assert "# TYPE otelcol_hits counter" in text.splitlines()
    assert "_total" not in text
    assert "_created" not in text


def test_histogram_buckets_are_cumulative() -> None:
    """Each bucket holds what is at most its bound."""
    registry = _registry()
    sizes = registry.histogram("sizes")
    for value in (1, 5, 50):
        sizes.observe(value)
    lines = render(registry).decode().splitlines()

    assert 'sizes_bucket{le="1.0"} 1.0' in lines
    assert 'sizes_bucket{le="10.0"} 2.0' in lines
    assert 'sizes_bucket{le="+Inf"} 3.0' in lines
    assert "sizes_sum 56.0" in lines


def test_failing_gauge_does_not_fail_the_scrape() -> None:
    """One figure that cannot be read costs only itself."""
    registry = _registry()
    registry.gauge("depth", {"n": "0"}, lambda: 1 / 0)
    registry.gauge("depth", {"n": "1"}, lambda: 3)
    lines = render(registry).decode().splitlines()

    assert 'depth{n="1"} 3.0' in lines
    assert not [line for line in lines if 'n="0"' in line]


def test_shared_names_have_the_collectors_kind() -> None:
    """What we share with a scraped Collector is the same kind of metric, so its panels work."""
    shared = {name: COLLECTOR[name]["type"] for name in METRICS if name in COLLECTOR}
    ours = {name: METRICS[name].kind.value for name in shared}

    assert shared == ours
    assert "otelcol_receiver_accepted_spans" in shared
