"""What is shown of each assigned partition."""

from bridge.flow import Lane
from bridge.kafka.lane_figures import LaneFigures
from bridge.testing import ManualClock, RecordingMetrics
from tests.unit.kafka.consuming import LIMITS, as_read, record


def _shown() -> tuple[RecordingMetrics, LaneFigures, Lane]:
    metrics = RecordingMetrics()
    figures = LaneFigures(metrics, ManualClock(wall_s=100.0), "kafka")
    lane = Lane("spans", 0, 1, LIMITS)
    lane.open(0)
    figures.show(lane)
    return metrics, figures, lane


def test_figures_show_lag_in_records_and_seconds() -> None:
    """Lag counts from what may be committed to the log's end; its age is the oldest record's."""
    metrics, figures, lane = _shown()
    lane.admit(as_read(record(offset) for offset in range(4)))
    lane.start_next()
    lane.finish([0, 2])

    figures.set_end(lane, 10)

    assert metrics.value("otelcol_kafka_receiver_offset_lag", topic="spans", partition="0") == 9
    assert metrics.value("bridge_kafka_receiver_lag") == 99
    assert metrics.value("otelcol_kafka_receiver_current_offset") == 3
    assert metrics.value("bridge_kafka_receiver_uncommitted_records") == 2
    assert metrics.value("bridge_kafka_receiver_oldest_unfinished_age") == 99
    assert metrics.value("bridge_kafka_receiver_islands") == 1
    assert metrics.value("bridge_kafka_receiver_window_bytes") == 240


def test_figures_without_lag_have_no_age() -> None:
    """A partition that is read to its end is not behind, whenever its last record was written."""
    metrics, figures, lane = _shown()
    lane.admit(as_read([record(0)]))
    chunk = lane.start_next()
    assert chunk is not None
    lane.finish([0])
    lane.end(chunk)

    figures.set_end(lane, 1)

    assert metrics.value("bridge_kafka_receiver_lag") == 0
    assert metrics.value("bridge_kafka_receiver_oldest_unfinished_age") == 0


def test_figures_show_a_held_partition() -> None:
    """A partition that a record holds is 1."""
    metrics, _, lane = _shown()
    lane.get_stuck(3, "odd")

    assert metrics.value("bridge_kafka_receiver_held") == 1


def test_figures_end_with_the_assignment() -> None:
    """Series of a revoked partition are dropped, so that nobody sees an old lag."""
    metrics, figures, lane = _shown()

    figures.hide(lane)
    figures.set_end(lane, 5)

    assert metrics.names() == set()


def test_figures_count_skipped_records() -> None:
    """Records that islands spared somebody are counted by partition."""
    metrics, figures, lane = _shown()

    figures.skipped(lane, 3)

    assert metrics.value("bridge_kafka_receiver_redeliveries_skipped", partition="0") == 3
