"""
One aiokafka consumer under our rules: explicit offsets, every wait bounded, errors as they come.

What aiokafka keeps private and we need (metadata without creating topics, commit metadata, ways to
end what does not end by itself) is touched here and nowhere else in the consuming half.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiokafka.errors as kafka
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from bridge.flow import Lane
from bridge.kafka.buffered import Buffered
from bridge.kafka.chunk_reader import read_in_chunks
from bridge.kafka.closing import abandon, is_cancelled_from_outside
from bridge.kafka.evictions import Evictions
from bridge.kafka.fetched import read_by_ourselves
from bridge.kafka.freshness import Freshness
from bridge.kafka.presence import missing_topics
from bridge.kafka.reconnecting import pace_connections

log = structlog.get_logger()

REQUEST_TIMEOUT_S = 15.0
"""Seconds for one answer of the brokers, with aiokafka's own repetitions in it."""

CONNECT_TIMEOUT_S = 10.0
"""Seconds to reach some broker of the list."""

POLL_INTERVAL_MAX_S = 600.0
"""
Seconds without a poll after which aiokafka leaves the group. We poll all the time, also while
every partition is paused; only a blocked event loop comes near this.
"""

FRESH_S = 1.0
"""Age of a fetch that still counts, beside the time that a broker may take for its answer."""

ASSIGNORS: Mapping[str, type[Any]] = {
    "sticky": StickyPartitionAssignor,
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
}
"""The rebalance strategies that aiokafka speaks, by the name that goes over the wire."""

Records = Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class Membership:
    """
    How the consumer takes part in its group. Times are seconds.

    `assignors` are classes of its own: aiokafka's sticky one keeps what its member had in its
    class, so that two receivers of one process would claim each other's partitions.
    """

    group: str
    instance_id: str | None
    strategies: tuple[str, ...]
    session_timeout_s: float
    heartbeat_interval_s: float
    rebalance_timeout_s: float
    assignors: tuple[type[Any], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        kinds = (ASSIGNORS[name] for name in self.strategies)
        own = tuple(type(kind.__name__, (kind,), {}) for kind in kinds)
        object.__setattr__(self, "assignors", own)


@dataclass(frozen=True, slots=True)
class Fetching:
    """What one fetch asks for. Sizes are bytes, `wait_s` seconds."""

    size_min: int
    size_max: int
    partition_size_max: int
    wait_s: float
    rack: str | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """Names of topics, or a pattern that topics match from their beginning."""

    topics: tuple[str, ...] = ()
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """What a group committed for a partition."""

    offset: int
    metadata: str


class ConsumerClient:
    """
    One consumer from start to stop; not started again.

    Every method raises `KafkaError`, `OSError` or `TimeoutError` (an `OSError`) as they come:
    the caller knows what it tried and translates.
    """

    def __init__(
        self, connection: Mapping[str, Any], membership: Membership, fetching: Fetching
    ) -> None:
        self._connection = connection
        self._membership = membership
        self._fetching = fetching
        self._buffered = Buffered(fetching.size_max)
        # What changes: made in `start`, since aiokafka wants a running loop.
        self._made: AIOKafkaConsumer | None = None
        self._freshness = Freshness(self.position)
        self._evictions: Evictions | None = None

    @property
    def _consumer(self) -> AIOKafkaConsumer:
        if self._made is None:
            raise kafka.IllegalStateError("the consumer is not started")
        return self._made

    async def start(self) -> None:
        """Reach a broker."""
        member, fetching = self._membership, self._fetching
        self._made = AIOKafkaConsumer(
            **self._connection,
            group_id=member.group,
            group_instance_id=member.instance_id,
            partition_assignment_strategy=member.assignors,
            session_timeout_ms=round(member.session_timeout_s * 1000),
            heartbeat_interval_ms=round(member.heartbeat_interval_s * 1000),
            rebalance_timeout_ms=round(member.rebalance_timeout_s * 1000),
            max_poll_interval_ms=round(POLL_INTERVAL_MAX_S * 1000),
            fetch_min_bytes=fetching.size_min,
            fetch_max_bytes=fetching.size_max,
            max_partition_fetch_bytes=fetching.partition_size_max,
            fetch_max_wait_ms=round(fetching.wait_s * 1000),
            client_rack=fetching.rack,
            # What is not known must not be guessed: see `bridge/kafka/beginning.py`.
            auto_offset_reset="none",
            enable_auto_commit=False,
        )
        read_in_chunks()
        pace_connections(self._consumer._client)
        self._freshness.listen(self._consumer._client)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await self._consumer.start()
        read_by_ourselves(self._consumer._fetcher)
        if member.instance_id:
            self._evictions = Evictions(self._consumer._coordinator)

    @property
    def has_twin(self) -> bool:
        """Whether another member of the group has our `instance_id`."""
        return self._evictions is not None and self._evictions.too_many

    def subscribe(self, subscription: Subscription, listener: ConsumerRebalanceListener) -> None:
        """Join the group for these topics, or leave and join again for others."""
        if subscription.pattern is not None:
            self._consumer.subscribe(pattern=subscription.pattern, listener=listener)
        else:
            self._consumer.subscribe(list(subscription.topics), listener=listener)

    async def missing_topics(self, topics: Collection[str]) -> frozenset[str]:
        """Which of *topics* do not exist; nothing is created by asking."""
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            return await missing_topics(self._consumer._client, topics)

    async def poll(
        self, partitions: Iterable[TopicPartition], timeout_s: float, records_max: int
    ) -> Records:
        """
        Records that have come, waiting up to *timeout_s* for some; all partitions if none is named.
        What was fetched of paused ones stays for later.

        May wait longer while the group rebalances. If it raises, records may have been thrown
        away: seek every partition back to where you are (K20 of the reference).
        """
        try:
            found: Any = await self._buffered.poll(
                self._consumer, partitions, timeout_s, records_max
            )
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # It hands on the end of its own task, which must not look like the end of ours.
            raise kafka.KafkaError("a task of the client was cancelled") from error
        records: Records = found
        return records

    @property
    def broken(self) -> str:
        """
        Which routine of aiokafka's has ended by a fault, so that only a new consumer helps.

        Without coordination or fetching every poll raises that fault from then on (K21), whatever
        kind it is: a transport that was closed under a request, for one, which looks like
        anything but a fault of Kafka's. Without metadata nothing is raised at all, and commits
        wait for ever for a coordinator that nobody looks for.
        """
        routines = {
            "coordination": getattr(self._consumer._coordinator, "_coordination_task", None),
            "fetching": getattr(self._consumer._fetcher, "_fetch_task", None),
            "metadata": self._consumer._client._sync_task,
        }
        if self.has_twin:
            return "membership"
        return next((name for name, task in routines.items() if task and task.done()), "")

    @property
    def generation(self) -> int:
        """Number of the group's present assignment; -1 while we are no member."""
        return int(getattr(self._consumer._coordinator, "generation", -1))

    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions that we have now."""
        return frozenset(self._consumer.assignment())

    def position(self, partition: TopicPartition) -> int | None:
        """The offset that is fetched next, if it is known."""
        state = self._state(partition)
        return state.position if state is not None and state.has_valid_position else None

    def high_watermark(self, partition: TopicPartition) -> tuple[int, int] | None:
        """
        The log's end as the last fetch saw it, and when that was (milliseconds since the epoch).
        """
        state = self._state(partition)
        if state is None or state.highwater is None:
            return None
        return state.highwater, state.timestamp

    def at_end(self, lane: Lane) -> bool:
        """Whether we have all that the log of *lane* held within the last second."""
        partition = TopicPartition(lane.topic, lane.partition)
        end = self.high_watermark(partition)
        if end is None or self.position(partition) != end[0]:
            return False
        return self._freshness.age_s(partition) <= FRESH_S + self._fetching.wait_s

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Fetch from *offset* on; ignored for a partition that we do not have."""
        with contextlib.suppress(kafka.IllegalStateError):
            self._consumer.seek(partition, offset)

    def set_paused(self, partition: TopicPartition, paused: bool) -> None:
        """Stop or go on fetching; ignored for a partition that we do not have."""
        self._buffered.set_paused(self._consumer, partition, paused)

    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """Commit offsets with their metadata, all in one request."""
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            await self._consumer.commit(dict(offsets))

    async def committed(
        self, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, Committed]:
        """What the group committed; partitions without a commit are left out."""
        coordinator = self._consumer._coordinator  # `committed` hides the metadata.
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            found = await coordinator.fetch_committed_offsets(list(partitions))
        return {
            partition: Committed(entry.offset, entry.metadata or "")
            for partition, entry in found.items()
            if entry.offset >= 0
        }

    async def log_bounds(
        self, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """The first offset and the one after the last, of each partition."""
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            begins = await self._consumer.beginning_offsets(list(partitions))
            ends = await self._consumer.end_offsets(list(partitions))
        return {partition: (begins[partition], ends[partition]) for partition in partitions}

    async def log_ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset after the last one, of each partition."""
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            ends: dict[TopicPartition, int] = await self._consumer.end_offsets(list(partitions))
        return ends

    async def stop(self, timeout_s: float) -> None:
        """
        Leave the group and close; after *timeout_s* without asking anybody.

        A member that could not say good-bye is missed only after its session timeout.
        """
        consumer, self._made = self._made, None
        if consumer is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await consumer.stop()
        except (TimeoutError, kafka.KafkaError, OSError) as error:
            log.warning("kafka_consumer_abandoned", error=repr(error), timeout_s=timeout_s)
            await abandon(consumer)
        except asyncio.CancelledError:
            await abandon(consumer)
            if is_cancelled_from_outside():
                raise

    def _state(self, partition: TopicPartition) -> Any:
        subscription = self._consumer._subscription.subscription  # Looked at without an await.
        if subscription is None or subscription.assignment is None:
            return None
        return subscription.assignment.state_value(partition)
