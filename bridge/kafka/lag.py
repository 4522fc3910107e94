"""How far a consumer group is behind, asked from outside without joining it."""

import asyncio
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bridge.flow import decode_islands
from bridge.kafka.asking import until_answered
from bridge.kafka.closing import close_client
from bridge.kafka.errors import map_kafka_error
from bridge.kafka.skipping import committed_offsets

TIMEOUT_S = 20.0
"""Seconds for all questions together."""

LOOK_S = 3.0
"""Seconds to look for the time stamps of first unfinished records; without one there is no age."""


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """
    One partition: the log's ends, and where the group is.

    `committed` is `None` if the group committed nothing. `records` are those not finished: from
    the committed offset, or the beginning of the log, to its end, without the `beyond` ones that
    were finished out of order. `seconds` is the age of the first one, `None` if there is none or
    it could not be read in time.
    """

    topic: str
    partition: int
    begin: int
    end: int
    committed: int | None
    records: int
    beyond: int
    seconds: float | None


async def read_lag(
    connection: Mapping[str, Any],
    group: str,
    topics: Collection[str],
    patterns: Sequence[re.Pattern[str]] = (),
) -> list[PartitionLag]:
    """
    The lag of *group* in *topics* and in those that match one of *patterns*, ascending.

    Nothing is committed and the group is not joined. A topic that does not exist has no
    partitions.

    Raises:
        Unavailable, Denied: If the brokers do not answer, or do not let us.
    """
    admin = AIOKafkaAdminClient(**connection)
    consumer = AIOKafkaConsumer(**connection, enable_auto_commit=False)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await admin.start()
            places = await find_partitions(admin, topics, patterns)
            committed = await committed_offsets(admin, group, places) if places else {}
            await consumer.start()
            begins = await consumer.beginning_offsets(places) if places else {}
            ends = await consumer.end_offsets(places) if places else {}
            found = [
                lag_of(place, begins[place], ends[place], committed.get(place)) for place in places
            ]
            ages = await _ages(consumer, found)
    except (kafka.KafkaError, OSError) as error:
        raise map_kafka_error(error, what=f"look where {group} is", group=group) from error
    finally:
        await close_client(consumer)
        await close_client(admin)
    return [
        lag if age is None else replace(lag, seconds=round(age, 3))
        for lag, age in zip(found, ages, strict=True)
    ]


async def find_partitions(
    admin: AIOKafkaAdminClient,
    topics: Collection[str],
    patterns: Sequence[re.Pattern[str]] = (),
) -> list[TopicPartition]:
    """
    The partitions of *topics* and of those that match one of *patterns*, ascending.

    None of a topic that does not exist, which is not brought into being either.
    """
    # All topics are listed: a question about one that does not exist could bring it into being.
    there = set(await until_answered(admin.list_topics))
    wanted = {topic for topic in topics if topic in there}
    wanted |= {topic for topic in there if any(pattern.match(topic) for pattern in patterns)}
    if not wanted:
        return []
    described = await until_answered(lambda: admin.describe_topics(sorted(wanted)))
    return sorted(
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    )


def lag_of(place: TopicPartition, begin: int, end: int, committed: Any) -> PartitionLag:
    """The lag, still without its age, of a partition with the group's commit if there is one."""
    offset = committed.offset if committed is not None and committed.offset >= 0 else None
    first = begin if offset is None else max(begin, min(offset, end))
    beyond = 0
    if offset is not None and committed.metadata:
        try:
            runs = decode_islands(committed.metadata, offset, end)
        except ValueError:
            runs = ()  # Of somebody else, or of a log that was cut back.
        beyond = sum(max(0, stop - max(start, first)) for start, stop in runs)
    records = max(0, end - first - beyond)
    return PartitionLag(place.topic, place.partition, begin, end, offset, records, beyond, None)


async def _ages(consumer: AIOKafkaConsumer, found: list[PartitionLag]) -> list[float | None]:
    """Seconds since the time stamp of the first unfinished record of each."""
    firsts = {
        TopicPartition(lag.topic, lag.partition): max(lag.begin, lag.committed or 0)
        for lag in found
        if lag.records
    }
    stamps: dict[TopicPartition, int] = {}
    if firsts:
        consumer.assign(list(firsts))
        for place, offset in firsts.items():
            consumer.seek(place, offset)
        until_s = time.monotonic() + LOOK_S
        while len(stamps) < len(firsts) and (left_s := until_s - time.monotonic()) > 0:
            batches = await consumer.getmany(timeout_ms=round(left_s * 1000), max_records=500)
            for place, records in batches.items():
                stamps.setdefault(place, records[0].timestamp)
                consumer.pause(place)
    now_s = time.time()
    return [
        max(0.0, now_s - stamp / 1000)
        if (stamp := stamps.get(TopicPartition(lag.topic, lag.partition))) is not None
        else None
        for lag in found
    ]
