"""Reading what a log still holds, from a time on, by nobody's group: nothing is committed."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bridge.core import ConfigError, Unavailable
from bridge.kafka.closing import close_client
from bridge.kafka.errors import map_kafka_error
from bridge.kafka.lag import find_partitions

TIMEOUT_S = 20.0
"""Seconds for the questions before the first record."""

IDLE_S = 15.0
"""Seconds without a record that the log should have, after which it is given up."""

FETCH_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of one answer; about as much again waits decoded."""

_RECORDS_MAX = 500  # Records of all partitions taken from the client at a time.
_LEAD_MS = 250  # How far ahead of the others a partition may be taken at a time.
_NEVER_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    Consecutive records of a partition.

    All partitions were read up to `read_to_ms` of record time, apart from records that were written
    out of order. `done` and `total` are records of the whole reading, `total` by the ends as they
    were when it began.
    """

    topic: str
    partition: int
    records: Sequence[ConsumerRecord]
    read_to_ms: int
    done: int
    total: int


class Merge:
    """
    Partitions read side by side in the order of record time, as they were written. Pure.

    What a partition has is taken only once every other that is not at its end has something too,
    so that one which is fetched faster is not decided before its time.
    """

    def __init__(self, places: Collection[TopicPartition]) -> None:
        # What changes: what was fetched and not taken, and the places that have more to come.
        self._waiting: dict[TopicPartition, deque[ConsumerRecord]] = {
            place: deque() for place in places
        }
        self._open = set(places)

    @property
    def hungry(self) -> set[TopicPartition]:
        """Partitions that more is needed of before anything can be taken."""
        return {place for place in self._open if not self._waiting[place]}

    @property
    def done(self) -> bool:
        """Whether everything was taken."""
        return not self._open and not any(self._waiting.values())

    def feed(self, place: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        """Records that were fetched."""
        self._waiting[place].extend(records)

    def end(self, place: TopicPartition) -> None:
        """The partition has no more."""
        self._open.discard(place)

    def take(self) -> tuple[TopicPartition, list[ConsumerRecord], int] | None:
        """
        The records that come next, and up to which time all were read then.

        `None` if something is hungry, or all is done.
        """
        if self.hungry:
            return None
        heads = sorted(
            (records[0].timestamp, place) for place, records in self._waiting.items() if records
        )
        if not heads:
            return None
        place = heads[0][1]
        limit_ms = heads[1][0] + _LEAD_MS if len(heads) > 1 else _NEVER_MS
        waiting = self._waiting[place]
        taken: list[ConsumerRecord] = []
        while waiting and (not taken or waiting[0].timestamp <= limit_ms):
            taken.append(waiting.popleft())
        # The same partition may have more before the next head; a hungry one counts as read to
        # where it was.
        read_to_ms = waiting[0].timestamp if waiting else taken[-1].timestamp
        if len(heads) > 1:
            read_to_ms = min(read_to_ms, heads[1][0])
        return place, taken, read_to_ms


async def read_retained(
    connection: Mapping[str, Any], topics: Collection[str], since_ms: int
) -> AsyncIterator[Stretch]:
    """
    The records of *topics* from *since_ms* to the ends that they have now, in order of record time.

    Raises:
        ConfigError: If a topic does not exist.
        Unavailable, Denied: If the brokers do not answer, or do not let us.

    Cancellation:
        The client is closed; nothing is left at the brokers.
    """
    admin = AIOKafkaAdminClient(**connection)
    consumer = AIOKafkaConsumer(
        **connection,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=FETCH_BYTES_MAX,
    )
    what = f"read {', '.join(topics)}"
    try:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await admin.start()
                await consumer.start()
                begins, ends = await _stretches(admin, consumer, topics, since_ms)
            async for stretch in _read(consumer, begins, ends):
                yield stretch
        except (kafka.KafkaError, OSError) as error:
            raise map_kafka_error(error, what=what) from error
    finally:
        await close_client(consumer)
        await close_client(admin)


async def _stretches(
    admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, topics: Collection[str], since_ms: int
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    places = await find_partitions(admin, topics)
    for topic in topics:
        if not any(place.topic == topic for place in places):
            raise ConfigError(f"there is no topic {topic} at these brokers")
    ends = await consumer.end_offsets(places)
    found = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
    begins = {
        place: entry.offset
        for place in places
        if (entry := found.get(place)) is not None and entry.offset < ends[place]
    }
    return begins, ends


async def _read(
    consumer: AIOKafkaConsumer,
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> AsyncIterator[Stretch]:
    if not begins:
        return
    total = sum(ends[place] - begin for place, begin in begins.items())
    merge, positions = Merge(list(begins)), dict(begins)
    consumer.assign(list(begins))
    for place, begin in begins.items():
        consumer.seek(place, begin)
    give_up_s = time.monotonic() + IDLE_S
    while not merge.done:
        while (taken := merge.take()) is not None:
            place, records, read_to_ms = taken
            done = sum(positions[one] - begins[one] for one in begins)
            yield Stretch(place.topic, place.partition, records, read_to_ms, done, total)
            give_up_s = time.monotonic() + IDLE_S
        hungry = merge.hungry
        _listen_to(consumer, begins, hungry)
        batches = (
            await consumer.getmany(*hungry, timeout_ms=200, max_records=_RECORDS_MAX)
            if hungry
            else {}
        )
        for place, records in batches.items():
            own = [record for record in records if record.offset < ends[place]]
            merge.feed(place, own)
            positions[place] = min(records[-1].offset + 1, ends[place])
        for place in hungry:
            # Control records and gaps of compaction move the position without any record.
            if positions[place] >= ends[place] or await consumer.position(place) >= ends[place]:
                positions[place] = ends[place]
                merge.end(place)
        if batches:
            give_up_s = time.monotonic() + IDLE_S
        elif hungry and time.monotonic() > give_up_s:
            names = ", ".join(f"{place.topic}/{place.partition}" for place in sorted(hungry))
            raise Unavailable(f"no record of {names} for {IDLE_S:.0f} s, and there should be some")


def _listen_to(
    consumer: AIOKafkaConsumer,
    places: Collection[TopicPartition],
    hungry: Collection[TopicPartition],
) -> None:
    """Fetch only what is needed next: what others have fetched ahead would fill the memory."""
    for place in places:
        if place in hungry:
            consumer.resume(place)
        else:
            consumer.pause(place)
