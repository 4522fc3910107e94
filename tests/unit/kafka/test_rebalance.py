"""What the group tells us."""

import pytest
from structlog.testing import capture_logs

from bridge.flow import Lane
from bridge.kafka.rebalance import Rebalance
from bridge.testing import ManualClock, RecordingMetrics
from tests.unit.kafka.consuming import LIMITS, ONE, TWO


class Owner:
    """Keeps what it was told, and may fail."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.error: Exception | None = None

    def assign(self, partitions: frozenset[object]) -> None:
        self.told.append(partitions)
        if self.error is not None:
            raise self.error

    async def revoke(self) -> None:
        self.told.append("revoke")
        if self.error is not None:
            raise self.error


@pytest.fixture
def metrics() -> RecordingMetrics:
    return RecordingMetrics()


async def test_rebalance_is_passed_on_and_counted(metrics: RecordingMetrics) -> None:
    """Revoke and assign reach the owner; partitions and rebalances are counted."""
    owner = Owner()
    listener = Rebalance(owner, metrics, "kafka", ManualClock()).listener

    await listener.on_partitions_revoked([ONE])
    await listener.on_partitions_assigned([ONE, TWO])

    assert owner.told == ["revoke", frozenset({ONE, TWO})]
    assert metrics.value("bridge_kafka_receiver_rebalances") == 1
    assert metrics.value("otelcol_kafka_receiver_partition_start") == 2
    assert metrics.value("otelcol_kafka_receiver_partition_close") == 1


async def test_rebalance_failure_is_logged(metrics: RecordingMetrics) -> None:
    """aiokafka would swallow what the owner raises: it is in the log."""
    owner = Owner()
    owner.error = RuntimeError("no")
    listener = Rebalance(owner, metrics, "kafka", ManualClock()).listener

    with capture_logs() as logs:
        await listener.on_partitions_revoked([])
        await listener.on_partitions_assigned([])

    events = [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert events == ["kafka_revoke_failed", "kafka_assign_failed"]


async def test_rebalance_many_in_a_minute_are_called_unstable(metrics: RecordingMetrics) -> None:
    """Twins with one instance id evict each other: the fourth rebalance in a minute says so."""
    clock = ManualClock()
    listener = Rebalance(Owner(), metrics, "kafka", clock).listener

    with capture_logs() as logs:
        for pause_s in (10.0, 10.0, 10.0, 10.0):
            await clock.advance(pause_s)
            await listener.on_partitions_assigned([ONE])

    unstable = [entry for entry in logs if entry["event"] == "kafka_group_unstable"]
    assert len(unstable) == 1
    assert "group_instance_id" in unstable[0]["hint"]


async def test_rebalance_now_and_then_is_no_news(metrics: RecordingMetrics) -> None:
    """Four rebalances in more than a minute are a deployment."""
    clock = ManualClock()
    listener = Rebalance(Owner(), metrics, "kafka", clock).listener

    with capture_logs() as logs:
        for _ in range(4):
            await clock.advance(25.0)
            await listener.on_partitions_assigned([ONE])

    assert "kafka_group_unstable" not in [entry["event"] for entry in logs]


def test_rebalance_counts_lost_and_skipped_records(metrics: RecordingMetrics) -> None:
    """Records that expired or were skipped by hand have counters."""
    rebalance = Rebalance(Owner(), metrics, "kafka", ManualClock())
    lane = Lane("spans", 0, 1, LIMITS)

    rebalance.lost(lane, 3)
    rebalance.skipped(lane)

    assert metrics.value("bridge_kafka_receiver_expired_records") == 3
    assert metrics.value("bridge_kafka_receiver_skipped_records") == 1
