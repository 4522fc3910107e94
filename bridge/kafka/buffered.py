"""
What was fetched ahead of partitions that are paused: kept, within bounds.

aiokafka throws away what it holds of a paused partition at the next poll, and fetches it again
after. A backend a little slower than Kafka then costs every byte twice: the window of a lane fills,
its partition pauses, and up to `max_partition_fetch_size` is read once more when it goes on.
"""

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError

from bridge.kafka.fetched import bytes_of

KEPT_BYTES_MAX = 32 << 20
"""Bytes, as fetched, that paused partitions may keep together; two fetches if those are larger."""


class Wanted:
    """
    The partitions that a poll asks for: *named* ones, or all, but none that is paused.

    Looked into again and again while a poll waits, so that what goes on meanwhile is found.
    """

    def __init__(self, named: Iterable[TopicPartition], paused: set[TopicPartition]) -> None:
        self._named = frozenset(named)
        self._paused = paused

    def __bool__(self) -> bool:
        """Always: to aiokafka nothing means everything, paused partitions included."""
        return True

    def __contains__(self, partition: TopicPartition) -> bool:
        """Whether records of *partition* may be handed out now."""
        return partition not in self._paused and (not self._named or partition in self._named)


class Buffered:
    """
    The paused partitions of one consumer, and its polling around them.

    Args:
        fetch_bytes_max: Bytes of one fetch.
    """

    def __init__(self, fetch_bytes_max: int) -> None:
        self._kept_bytes_max = max(KEPT_BYTES_MAX, 2 * fetch_bytes_max)
        # What changes: the partitions that are paused.
        self._paused: set[TopicPartition] = set()

    def set_paused(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, paused: bool
    ) -> None:
        """Stop or go on fetching *partition*, and handing out what was fetched of it."""
        if not paused:
            self._paused.discard(partition)
        if partition not in consumer.assignment():
            return
        if paused:
            self._paused.add(partition)
            consumer.pause(partition)
        else:
            consumer.resume(partition)
            self._wake(consumer)

    async def poll(
        self,
        consumer: AIOKafkaConsumer,
        partitions: Iterable[TopicPartition],
        timeout_s: float,
        records_max: int,
    ) -> dict[TopicPartition, list[object]]:
        """`AIOKafkaConsumer.getmany` that leaves alone what belongs to paused partitions."""
        if consumer._closed:
            raise ConsumerStoppedError
        consumer._coordinator.check_errors()
        self._drop_excess(consumer)
        with consumer._subscription.fetch_context():
            found: dict[TopicPartition, list[object]] = await consumer._fetcher.fetched_records(
                Wanted(partitions, self._paused), timeout_s, max_records=records_max
            )
        return found

    def _drop_excess(self, consumer: AIOKafkaConsumer) -> None:
        """Let go of what paused partitions have beyond the bound: it is fetched again later."""
        fetcher, kept = consumer._fetcher, 0
        for partition in [each for each in fetcher._records if each in self._paused]:
            kept += bytes_of(fetcher._records[partition])
            if kept > self._kept_bytes_max:
                del fetcher._records[partition]
                fetcher._notify(fetcher._wait_consume_future)

    def _wake(self, consumer: AIOKafkaConsumer) -> None:
        """A poll that waits may find what the partition kept."""
        fetcher = consumer._fetcher
        for waiter in list(fetcher._fetch_waiters):
            fetcher._notify(waiter)
