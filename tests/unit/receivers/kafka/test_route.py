"""What is counted about the items of one signal."""

from structlog.testing import capture_logs

from bridge.core import Signal, Unavailable
from bridge.receivers.kafka.route import SignalFigures, describe
from bridge.testing import RecordingMetrics, make_settings
from tests.unit.receivers.kafka.lanes import started


def test_figures_drop_counts_logs_and_finishes() -> None:
    """A drop by rule names the rule, counts the items, and lets the commit pass."""
    metrics = RecordingMetrics()
    figures = SignalFigures(make_settings("kafka", metrics=metrics), Signal.TRACES)
    lane, chunk = started(3)

    with capture_logs() as logs:
        figures.drop(lane, chunk.entries, "on_error", Unavailable("away"))

    dropped = metrics.value("bridge_kafka_receiver_dropped_items", rule="on_error", signal="traces")
    assert dropped == 6
    assert lane.book.committed == 3
    assert (logs[0]["event"], logs[0]["rule"]) == (
        "kafka_records_dropped",
        "message_marking.on_error",
    )


def test_describe_names_the_place() -> None:
    """Logs say where a record is."""
    lane, chunk = started()

    assert describe(lane, chunk.entries[0]) == {"topic": "spans", "partition": 2, "offset": 0}
