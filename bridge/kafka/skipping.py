"""
How somebody at a shell lets a holding partition go on: ``otlp-bridge dlq skip``.

A request is a commit of a group of its own, ``<group>.bridge-skip``, which has no members: anybody
who may read the topic can write it, it survives restarts on both sides, and no listener, topic or
file must exist beforehand. A receiver that holds a record looks for it every few seconds. Decided
in ``bridge/adr/0006-skip-requests.md``.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bridge.kafka.closing import close_client
from bridge.kafka.errors import map_kafka_error

TIMEOUT_S = 15.0
"""Seconds for one request, with connecting."""

_PAUSE_S = 0.2
_VERSION = "skip1:"
_KEPT_MAX = 100  # Requests that are remembered for one partition: some 2 KiB of metadata.


def skip_group(group: str) -> str:
    """The group whose commits are skip requests for *group*."""
    return f"{group}.bridge-skip"


def encode_skips(offsets: Collection[int]) -> str:
    """The commit metadata that asks for *offsets* to be skipped; the newest are kept."""
    return _VERSION + ",".join(str(offset) for offset in list(offsets)[-_KEPT_MAX:])


def decode_skips(metadata: str) -> tuple[int, ...]:
    """The offsets that *metadata* asks for, in the order they were asked for; none if foreign."""
    if not metadata.startswith(_VERSION):
        return ()
    parts = metadata.removeprefix(_VERSION).split(",")
    return tuple(int(part) for part in parts if part.isdecimal())


async def read_skips(
    connection: Mapping[str, Any], group: str, partitions: Collection[tuple[str, int]]
) -> dict[tuple[str, int], tuple[int, ...]]:
    """
    What was asked for, by topic and partition.

    Raises:
        Unavailable, Denied: If the brokers do not answer, or do not let us.
    """
    wanted = [TopicPartition(topic, partition) for topic, partition in partitions]
    name = skip_group(group)
    admin = AIOKafkaAdminClient(**connection)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await admin.start()
            found = await committed_offsets(admin, name, wanted)
    except (kafka.KafkaError, OSError) as error:
        raise map_kafka_error(error, what="look for skip requests", group=name) from error
    finally:
        await close_client(admin)
    return {
        (entry.topic, entry.partition): decode_skips(committed.metadata or "")
        for entry, committed in found.items()
        if committed.offset >= 0
    }


async def write_skip(
    connection: Mapping[str, Any], group: str, topic: str, partition: int, offset: int
) -> None:
    """
    Ask the members of *group* to go on without one record.

    Raises:
        Unavailable, Denied: If the brokers do not take the request.
    """
    earlier = (await read_skips(connection, group, [(topic, partition)])).get((topic, partition))
    offsets = [*(entry for entry in earlier or () if entry != offset), offset]
    name = skip_group(group)
    consumer = AIOKafkaConsumer(**connection, group_id=name, enable_auto_commit=False)
    where = TopicPartition(topic, partition)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await consumer.start()
            consumer.assign([where])
            await consumer.commit({where: (offset + 1, encode_skips(offsets))})
    except (kafka.KafkaError, OSError) as error:
        what = f"ask for {topic}/{partition}@{offset} to be skipped"
        raise map_kafka_error(error, what=what, topic=topic, group=name) from error
    finally:
        await close_client(consumer)


async def committed_offsets(
    admin: AIOKafkaAdminClient, group: str, partitions: list[TopicPartition]
) -> dict[TopicPartition, Any]:
    """
    Offset and metadata that *group* committed; the offset is -1 where it committed nothing.

    The caller bounds the time.
    """
    while True:
        try:
            found: dict[TopicPartition, Any] = await admin.list_consumer_group_offsets(
                group, partitions=partitions
            )
        except kafka.KafkaError as error:
            # A young cluster has no coordinators yet: the first question brings them into being.
            if not error.retriable:
                raise
            await asyncio.sleep(_PAUSE_S)
        else:
            return found
