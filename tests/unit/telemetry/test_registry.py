"""Figures by name and labels."""

import pytest

from bridge.telemetry import Kind, MetricRegistry, MetricSpec

TABLE = {
    "hits": MetricSpec("hits", Kind.COUNTER, "Hits."),
    "size": MetricSpec("size", Kind.HISTOGRAM, "Sizes.", bounds=(1, 2)),
    "depth": MetricSpec("depth", Kind.GAUGE, "Depth."),
}


def test_counter_same_labels_is_one_object() -> None:
    """Components that ask for the same series add to the same figure, in any order of labels."""
    registry = MetricRegistry(TABLE)
    registry.counter("hits", {"a": "1", "b": "2"}).add(3)

    assert registry.counter("hits", {"b": "2", "a": "1"}).value == 3
    assert registry.value("hits", {"a": "1", "b": "2"}) == 3
    assert registry.value("hits") == 0


def test_metric_unknown_name_is_refused() -> None:
    """A name that the table does not have cannot be shown by accident."""
    with pytest.raises(KeyError, match="misses"):
        MetricRegistry(TABLE).counter("misses")


def test_metric_wrong_kind_is_refused() -> None:
    """A histogram cannot be asked for as a counter, nor re-declared as another kind."""
    registry = MetricRegistry(TABLE)
    with pytest.raises(TypeError, match="histogram"):
        registry.counter("size")
    with pytest.raises(ValueError, match="already a counter"):
        registry.declare(MetricSpec("hits", Kind.GAUGE, ""))


def test_declared_metric_can_be_counted() -> None:
    """A plugin brings its own names."""
    registry = MetricRegistry(TABLE)
    registry.declare(MetricSpec("plugin_hits", Kind.COUNTER, "Hits of a plugin."))
    registry.counter("plugin_hits").add()

    assert registry.value("plugin_hits") == 1


def test_gauge_reads_when_looked_at_and_can_be_forgotten() -> None:
    """A gauge has no state of its own; a forgotten series is not shown."""
    registry = MetricRegistry(TABLE)
    depth = [1.0]
    registry.gauge("depth", {"partition": "0"}, lambda: depth[0])
    depth[0] = 7.0

    assert registry.value("depth", {"partition": "0"}) == 7
    registry.forget("depth", {"partition": "0"})
    registry.forget("depth", {"partition": "1"})
    assert list(registry.families()) == []


def test_running_service_takes_unknown_names() -> None:
    """A figure that nobody entered in the table must not stop the data that it counts."""
    registry = MetricRegistry(TABLE, strict=False)
    registry.counter("misses", {"a": "1"}).add(2)

    assert registry.value("misses", {"a": "1"}) == 2
