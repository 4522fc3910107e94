"""A few of the newest records of each partition, read without a group."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.kafka.closing import close_client
from bridge.kafka.errors import map_kafka_error

_FETCH_BYTES = 256 * 1024
_POLL_MS = 200


@dataclass(frozen=True, slots=True)
class SampledRecord:
    """One record as it is in the log; `timestamp_ms` is since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, record: Any) -> Self:
        """What aiokafka's consumer gave."""
        return cls(
            record.topic,
            record.partition,
            record.offset,
            record.timestamp,
            record.key,
            record.value,
            tuple(record.headers),
        )


async def sample_records(
    connection: Mapping[str, Any],
    partitions: Mapping[str, int],
    *,
    newest: int,
    timeout_s: float,
) -> list[SampledRecord]:
    """
    At most *newest* records from the end of each partition, in no particular order.

    Args:
        partitions: How many partitions each topic has.
        timeout_s: Seconds after which what was read until then is returned.

    Raises:
        Unavailable, Denied: If the brokers do not answer, or do not let us.
    """
    places = [
        TopicPartition(topic, number)
        for topic, count in partitions.items()
        for number in range(count)
    ]
    if not places:
        return []
    found: list[SampledRecord] = []
    consumer = AIOKafkaConsumer(
        **connection,
        enable_auto_commit=False,
        max_partition_fetch_bytes=_FETCH_BYTES,
        request_timeout_ms=round(timeout_s * 1000),
    )
    try:
        async with asyncio.timeout(timeout_s):
            await consumer.start()
            begins = await consumer.beginning_offsets(places)
            ends = await consumer.end_offsets(places)
        # Reading has its own share of time: what it brings is worth having although some is slow.
        with_some = [place for place in places if ends[place] > begins[place]]
        if with_some:
            consumer.assign(with_some)
            for place in with_some:
                consumer.seek(place, max(begins[place], ends[place] - newest))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await _read(consumer, {place: ends[place] for place in with_some}, found)
    except (kafka.KafkaError, OSError) as error:
        topics = ", ".join(partitions)
        raise map_kafka_error(error, what=f"read from {topics}", topic=topics) from error
    finally:
        await close_client(consumer)
    return found


async def _read(
    consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int], found: list[SampledRecord]
) -> None:
    left = set(ends)
    while left:
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            found += [SampledRecord.of(record) for record in records]
        done = {place for place in left if await consumer.position(place) >= ends[place]}
        consumer.pause(*done)
        left -= done
