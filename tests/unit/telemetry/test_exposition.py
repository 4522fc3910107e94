"""Prometheus text as a Collector with its default reader writes it."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

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


@given(
    value=st.floats() | st.integers(-(10**15), 10**15),
    label=st.text(alphabet=st.characters(codec="utf-8")),
    meaning=st.text(alphabet='a\\\n" {}'),
)
def test_lines_are_those_of_the_official_client(value: float, label: str, meaning: str) -> None:
    """Whatever the value, the text of the label and the meaning, both are read the same."""
    registry = MetricRegistry({"depth": MetricSpec("depth", Kind.GAUGE, meaning)})
    registry.gauge("depth", {"n": label, "m": "\\"}, lambda: value)
    theirs = GaugeMetricFamily("depth", meaning, labels=["n", "m"])
    theirs.add_metric([label, "\\"], value)
    ours = render(registry).decode()
    official = generate_latest(_registered(theirs)).decode()

    assert official.splitlines()[:-1] == ours.splitlines()[:-1] or "\r" in ours
    assert _shown(official) == _shown(ours)


def test_histogram_is_that_of_the_official_client() -> None:
    """The parser of the client finds buckets, count and sum under their names."""
    registry = _registry()
    for labels in ({"to": "a", "zone": "z"}, {"to": "b"}):
        registry.histogram("sizes", labels).observe(5)
    (family,) = text_string_to_metric_families(render(registry).decode())

    assert (family.name, family.type, family.documentation) == ("sizes", "histogram", "Sizes.")
    assert [(sample.name, sample.labels, sample.value) for sample in family.samples[5:]] == [
        ("sizes_bucket", {"to": "b", "zone": "", "le": "1.0"}, 0.0),
        ("sizes_bucket", {"to": "b", "zone": "", "le": "10.0"}, 1.0),
        ("sizes_bucket", {"to": "b", "zone": "", "le": "+Inf"}, 1.0),
        ("sizes_count", {"to": "b", "zone": ""}, 1.0),
        ("sizes_sum", {"to": "b", "zone": ""}, 5.0),
    ]


def test_names_of_a_plugin_become_names_that_prometheus_reads() -> None:
    """One strange name would make a whole scrape fail."""
    registry = MetricRegistry({}, strict=False)
    registry.gauge("7.hits-of", {"nine lives.": "x"}, lambda: 1)
    (family,) = text_string_to_metric_families(render(registry).decode())
    (sample,) = family.samples

    assert sample.name == "__hits_of"
    assert sample.labels == {"nine_lives_": "x"}


def _registered(metric: Metric) -> CollectorRegistry:
    class One(Collector):
        def collect(self) -> Iterator[Metric]:
            yield metric

    registry = CollectorRegistry(auto_describe=False)
    registry.register(One())
    return registry


def _shown(text: str) -> list[tuple[str, str, str]]:
    """Name, labels and value of each line; NaN equals itself here."""
    return [
        (sample.name, str(sorted(sample.labels.items())), _number(sample.value))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def _number(value: float) -> str:
    return "NaN" if math.isnan(value) else repr(value)
