"""What is counted of written batches."""

from bridge.core import Unavailable
from bridge.exporters.kafka import figures
from bridge.exporters.kafka.figures import Figures
from bridge.kafka import OutRecord, Written
from bridge.testing import RecordingMetrics, make_settings

RECORDS = [OutRecord(None, b"x", (), 3), OutRecord(None, b"y", (), 4)]


def test_written_batches_are_counted_by_partition() -> None:
    """Records, bytes before and after compression, and dead letters in items."""
    metrics = RecordingMetrics()
    counting = Figures(make_settings("kafka", metrics=metrics), "zstd", "dlq")
    for topic in ("t", "t", "dlq"):
        counting.written(topic, 3, RECORDS, Written(0, 10, 40, 0.002))
    counting.attempt_failed("t", 7, Unavailable("x"))
    counting.producer_reset("stuck")

    assert metrics.value("otelcol_kafka_exporter_records", topic="t", partition="3") == 4
    assert metrics.value("otelcol_kafka_exporter_bytes", topic="t") == 20
    assert (
        metrics.value("otelcol_kafka_exporter_bytes_uncompressed", compression_codec="zstd") == 120
    )
    assert metrics.value("bridge_exporter_dead_lettered_items") == 7
    assert metrics.value("bridge_kafka_exporter_unacknowledged_batches") == 1
    assert metrics.value("bridge_kafka_producer_resets", reason="stuck") == 1


def test_series_are_bounded() -> None:
    """Topics that data chooses must not fill the memory of whoever scrapes."""
    metrics = RecordingMetrics()
    counting = Figures(make_settings("kafka", metrics=metrics), "none", "")
    before, figures._SERIES_MAX = figures._SERIES_MAX, 2
    try:
        for number in range(5):
            counting.written(f"t{number}", 0, RECORDS, Written(0, 1, 1, 0.0))
    finally:
        figures._SERIES_MAX = before

    assert len(metrics.series("otelcol_kafka_exporter_records")) == 3
    assert metrics.value("otelcol_kafka_exporter_records", topic="others") == 6
