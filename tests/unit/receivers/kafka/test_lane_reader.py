"""What is counted when records are read."""

from structlog.testing import capture_logs

from bridge.core import Signal
from bridge.receivers.kafka.encodings import find_decoder
from bridge.receivers.kafka.lane_reader import LaneReader
from bridge.receivers.kafka.reading import RecordReader
from bridge.testing import ManualClock, RecordingMetrics, trace_request
from tests.unit.receivers.kafka.lanes import source_record, started

BODY = trace_request().body


def _reader(metrics: RecordingMetrics, with_delay: bool = False) -> LaneReader:
    reader = RecordReader(Signal.TRACES, find_decoder(Signal.TRACES, "otlp_proto"), None)
    return LaneReader(reader, metrics, ManualClock(wall_s=11.0), "kafka", with_delay)


def test_lane_reader_counts_by_partition() -> None:
    """Records and bytes are counted for each topic and partition."""
    metrics = RecordingMetrics()
    lane, _ = started()

    entries = _reader(metrics).read(lane, [source_record(0, BODY), source_record(1, BODY)])

    labels = {"topic": "spans", "partition": "2", "receiver": "kafka"}
    assert [entry.offset for entry in entries] == [0, 1]
    assert metrics.value("otelcol_kafka_receiver_records", **labels) == 2
    assert metrics.value("otelcol_kafka_receiver_bytes_uncompressed", **labels) == 2 * len(BODY)
    assert (
        metrics.histogram(
            "otelcol_kafka_receiver_read_latency", {**labels, "outcome": "success"}
        ).counts
        != [0] * 6
    )


def test_lane_reader_logs_and_counts_undecodable_records() -> None:
    """A record that is no OTLP names topic, partition and offset in the log."""
    metrics = RecordingMetrics()
    lane, _ = started()

    with capture_logs() as logs:
        _reader(metrics).read(lane, [source_record(4, b"\xff\xff")])

    (entry,) = logs
    assert (entry["event"], entry["topic"], entry["partition"], entry["offset"]) == (
        "kafka_record_undecodable",
        "spans",
        2,
        4,
    )
    assert metrics.value("otelcol_kafka_receiver_unmarshal_failed_spans", partition="2") == 1


def test_lane_reader_measures_delay_on_request() -> None:
    """How long records were in Kafka is measured only if it was asked for."""
    metrics = RecordingMetrics()
    lane, _ = started()

    _reader(metrics).read(lane, [source_record(0, BODY)])

    name = "otelcol_kafka_receiver_records_delay"
    assert metrics.series(name) == []

    _reader(metrics, with_delay=True).read(lane, [source_record(0, BODY)])

    (labels,) = metrics.series(name)
    assert metrics.histogram(name, labels).sum == 10.0
