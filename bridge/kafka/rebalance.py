"""What the group tells us, and how often."""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition

from bridge.core import Clock, Metrics
from bridge.flow import Lane

log = structlog.get_logger()

UNSTABLE_PER_MINUTE = 3
"""
Rebalances in one minute above which the group is called unstable: two members with one
`group_instance_id` evict each other, or heartbeats starve.
"""


class Assigned(Protocol):
    """Who is told of assignments."""

    def assign(self, partitions: frozenset[TopicPartition]) -> None:
        """The group gave us *partitions*."""
        ...

    async def revoke(self) -> None:
        """The group takes everything back; returns within the revoke budget."""
        ...


class Rebalance:
    """Counts rebalances and passes them on. aiokafka swallows what listeners raise: we log it."""

    def __init__(self, owner: Assigned, metrics: Metrics, receiver: str, clock: Clock) -> None:
        self._clock = clock
        labels = {"receiver": receiver}
        self._rebalances = metrics.counter("bridge_kafka_receiver_rebalances", labels)
        self._started = metrics.counter("otelcol_kafka_receiver_partition_start", labels)
        self._closed = metrics.counter("otelcol_kafka_receiver_partition_close", labels)
        self._expired = metrics.counter("bridge_kafka_receiver_expired_records", labels)
        self._resumed = metrics.counter("bridge_kafka_receiver_partitions_resumed", labels)
        self._skipped = metrics.counter("bridge_kafka_receiver_skipped_records", labels)
        # What changes: when the last rebalances were.
        self._recent: deque[float] = deque(maxlen=UNSTABLE_PER_MINUTE + 1)
        self.listener: ConsumerRebalanceListener = _Listener(owner, self)

    def assigned(self, count: int) -> None:
        """A rebalance gave us *count* partitions."""
        self._rebalances.add()
        self._started.add(count)
        now_s = self._clock.monotonic()
        self._recent.append(now_s)
        log.info("kafka_partitions_assigned", count=count)
        if len(self._recent) == self._recent.maxlen and now_s - self._recent[0] < 60.0:
            self._recent.clear()
            log.warning(
                "kafka_group_unstable",
                rebalances_per_minute_above=UNSTABLE_PER_MINUTE,
                hint="give every member a group_instance_id of its own or none, and look whether "
                "members come and go or miss heartbeats",
            )

    def revoked(self, count: int) -> None:
        """A rebalance took *count* partitions."""
        self._closed.add(count)
        if count:
            log.info("kafka_partitions_revoked", count=count)

    def lost(self, lane: Lane, records: int) -> None:
        """*records* of a partition expired before anybody had delivered them."""
        self._expired.add(records)

    def resumed(self) -> None:
        """A partition came back in the very next generation, with all that is held of it."""
        self._resumed.add()

    def skipped(self, lane: Lane) -> None:
        """Somebody at a shell had a record skipped."""
        self._skipped.add()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types.
    def __init__(self, owner: Assigned, counts: Rebalance) -> None:
        self._owner = owner
        self._counts = counts

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Give everything up, within the budget; a join follows."""
        try:
            self._counts.revoked(len(set(revoked)))
            await self._owner.revoke()
        except Exception:
            log.exception("kafka_revoke_failed")

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin with what we were given; nothing here waits, since nobody may be kept waiting."""
        try:
            partitions = frozenset(assigned)
            self._counts.assigned(len(partitions))
            self._owner.assign(partitions)
        except Exception:
            log.exception("kafka_assign_failed")
