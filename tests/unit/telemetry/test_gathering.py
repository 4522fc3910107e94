"""The figures of several workers on one page."""

import json

from bridge.telemetry import Gathered, MetricRegistry, render, snapshot

SPANS = "otelcol_receiver_accepted_spans"
LABELS = {"receiver": "otlp", "transport": "grpc"}


def _worker(spans: int, sizes: tuple[int, ...] = ()) -> MetricRegistry:
    metrics = MetricRegistry()
    metrics.counter(SPANS, LABELS).add(spans)
    for size in sizes:
        metrics.histogram("otelcol_processor_batch_batch_send_size", {"processor": "b"}).observe(
            size
        )
    metrics.gauge("bridge_receiver_in_flight_bytes", {"receiver": "otlp"}, lambda: spans)
    metrics.gauge("otelcol_process_uptime", None, lambda: 50.0)
    return metrics


def _told(metrics: MetricRegistry) -> list[object]:
    """A snapshot as it arrives."""
    told: list[object] = json.loads(json.dumps(snapshot(metrics)))
    return told


def _gathered(*workers: MetricRegistry) -> Gathered:
    own = MetricRegistry()
    own.gauge("otelcol_process_uptime", None, lambda: 99.0)
    gathered = Gathered(own)
    for number, metrics in enumerate(workers):
        gathered.update(number, _told(metrics))  # type: ignore[arg-type] # as read from JSON
    return gathered


def test_page_sums_counters_and_histograms() -> None:
    """Counts of two workers are one series."""
    page = _gathered(_worker(3, (30, 7000)), _worker(4, (30,))).page()
    text = render(page).decode()
    assert page.value(SPANS, LABELS) == 7
    assert 'otelcol_processor_batch_batch_send_size_count{processor="b"} 3.0' in text
    assert 'otelcol_processor_batch_batch_send_size_sum{processor="b"} 7060.0' in text
    assert 'otelcol_processor_batch_batch_send_size_bucket{le="50.0",processor="b"} 2.0' in text


def test_page_keeps_gauges_apart() -> None:
    """A gauge has a series for each worker, and the uptime is the parent's."""
    page = _gathered(_worker(3), _worker(4)).page()
    in_flight = [
        page.value("bridge_receiver_in_flight_bytes", {"receiver": "otlp", "worker": number})
        for number in "01"
    ]
    assert in_flight == [3, 4]
    assert page.value("otelcol_process_uptime") == 99.0


def test_page_sum_does_not_fall_when_a_worker_ends() -> None:
    """What an ended worker had counted stays, its gauges go, and its successor adds to it."""
    gathered = _gathered(_worker(3, (30,)), _worker(4))
    gathered.end(0)
    assert gathered.page().value(SPANS, LABELS) == 7
    assert 'worker="0"' not in render(gathered.page()).decode()
    gathered.update(0, snapshot(_worker(2, (30,))))
    gathered.end(0)
    page = gathered.page()
    assert page.value(SPANS, LABELS) == 9
    assert 'batch_send_size_count{processor="b"} 2.0' in render(page).decode()


def test_end_of_a_worker_that_never_answered_changes_nothing() -> None:
    """A process that died while it started has no figures."""
    gathered = _gathered(_worker(3))
    gathered.end(7)
    assert gathered.page().value(SPANS, LABELS) == 3


def test_snapshot_leaves_out_a_gauge_that_fails() -> None:
    """One figure that cannot be read costs only itself."""
    metrics = _worker(1)
    metrics.gauge("otelcol_process_memory_rss", None, lambda: 1 / 0)
    names = [row[0] for row in snapshot(metrics)]
    assert SPANS in names
    assert "otelcol_process_memory_rss" not in names


def test_worker_that_ended_has_returned_what_it_had_in_flight() -> None:
    """The sums of the ledger still balance: Kafka has it, or a sender without an answer."""
    metrics = MetricRegistry()
    who = {"component": "receivers/kafka", "signal": "traces"}
    metrics.counter("bridge_ledger_items", {**who, "column": "consumed"}).add(9)
    metrics.counter("bridge_ledger_items", {**who, "column": "delivered"}).add(4)
    metrics.gauge("bridge_ledger_in_flight_items", who, lambda: 5)
    gathered = _gathered(metrics)

    gathered.end(0)

    page = gathered.page()
    assert page.value("bridge_ledger_items", {**who, "column": "returned"}) == 5
    assert page.value("bridge_ledger_in_flight_items", who) == 0
