"""Figures that end with the part that shows them."""

from bridge.service.part_metrics import PartMetrics
from bridge.telemetry import MetricRegistry

NAME = "bridge_workers_running"
LABELLED = "otelcol_exporter_queue_size"


def test_release_hides_the_gauges_of_a_part_that_has_ended() -> None:
    """Its counters stay, since a counter never falls."""
    registry = MetricRegistry()
    part = PartMetrics(registry)
    part.gauge(NAME, None, lambda: 3.0)
    part.gauge(LABELLED, {"exporter": "x"}, lambda: 4.0)
    part.counter("bridge_worker_restarts", {"worker": "0"}).add()
    part.release()

    assert registry.figure(NAME) is None
    assert registry.figure(LABELLED, {"exporter": "x"}) is None
    assert registry.value("bridge_worker_restarts", {"worker": "0"}) == 1


def test_gauge_of_a_successor_outlives_its_predecessor() -> None:
    """The old part ends after the new one was built, and takes nothing of it along."""
    registry = MetricRegistry()
    old, new = PartMetrics(registry), PartMetrics(registry)
    old.gauge(NAME, None, lambda: 1.0)
    new.gauge(NAME, None, lambda: 2.0)
    old.forget(NAME)
    old.release()

    assert registry.value(NAME) == 2.0


def test_forget_hides_one_series() -> None:
    """As of a partition that was revoked; a counter too."""
    registry = MetricRegistry()
    part = PartMetrics(registry)
    part.gauge(LABELLED, {"exporter": "x"}, lambda: 1.0)
    part.gauge(LABELLED, {"exporter": "y"}, lambda: 2.0)
    part.counter("bridge_worker_restarts", {"worker": "0"}).add()
    part.forget(LABELLED, {"exporter": "x"})
    part.forget("bridge_worker_restarts", {"worker": "0"})

    assert registry.figure(LABELLED, {"exporter": "x"}) is None
    assert registry.value(LABELLED, {"exporter": "y"}) == 2.0
    assert registry.figure("bridge_worker_restarts", {"worker": "0"}) is None
