"""What is written to a topic from now on, and how far groups are with it; joining none of them."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bridge.flow import Run, decode_islands
from bridge.kafka.closing import close_client
from bridge.kafka.errors import map_kafka_error
from bridge.kafka.inspection import inspect_cluster
from bridge.kafka.record_sample import SampledRecord
from bridge.kafka.skipping import committed_offsets

TIMEOUT_S = 15.0
"""Seconds for beginning, and for one question about a group."""

_OPEN_END = sys.maxsize


@dataclass(frozen=True, slots=True)
class Finished:
    """What a group finished of one partition: all below `committed`, and the runs beyond it."""

    committed: int
    runs: Sequence[Run] = ()

    def has(self, offset: int) -> bool:
        """Whether the record at *offset* is finished."""
        if offset < self.committed:
            return True
        return any(start <= offset < stop for start, stop in self.runs)


class Follower:
    """
    Reads *topic* from its end at the time of entering.

    Used as a context manager.

    Raises (on entering):
        Denied: If the topic does not exist or may not be read.
        Unavailable: If no broker answers in time.
    """

    def __init__(self, connection: Mapping[str, Any], topic: str) -> None:
        self._connection = connection
        self._topic = topic
        # Made on entering.
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._places: list[TopicPartition] = []

    @property
    def partitions(self) -> int:
        """How many partitions the topic has."""
        return len(self._places)

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._start()
        except BaseException as error:
            await self.__aexit__()
            if isinstance(error, kafka.KafkaError | OSError):
                what = f"read from {self._topic}"
                raise map_kafka_error(error, what=what, topic=self._topic) from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in (self._consumer, self._admin):
            if client is not None:
                await close_client(client)

    async def read(self, timeout_s: float) -> list[SampledRecord]:
        """
        What came since the last call; waits at most *timeout_s* seconds for something.

        Raises:
            Unavailable, Denied: If the brokers do not answer, or do not let us any more.
        """
        assert self._consumer is not None  # noqa: S101 - made on entering
        try:
            found = await self._consumer.getmany(timeout_ms=round(timeout_s * 1000))
        except (kafka.KafkaError, OSError) as error:
            what = f"read from {self._topic}"
            raise map_kafka_error(error, what=what, topic=self._topic) from error
        return [SampledRecord.of(record) for records in found.values() for record in records]

    async def finished(self, group: str) -> dict[int, Finished]:
        """
        What *group* finished, by partition.

        Raises:
            Unavailable, Denied: If the brokers do not answer, or do not let us.
        """
        assert self._admin is not None  # noqa: S101 - made on entering
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found = await committed_offsets(self._admin, group, self._places)
        except (kafka.KafkaError, OSError) as error:
            raise map_kafka_error(error, what=f"look where {group} is", group=group) from error
        return {
            place.partition: _finished(entry.offset, entry.metadata)
            for place, entry in found.items()
            if entry.offset >= 0
        }

    async def _start(self) -> None:
        # The consumer's own questions could bring a missing topic into being: ask beforehand.
        facts = await inspect_cluster(self._connection, topics=[self._topic], timeout_s=TIMEOUT_S)
        topic = facts.topics[self._topic]
        if topic.state == "missing":
            raise kafka.UnknownTopicOrPartitionError(self._topic)
        if topic.state == "hidden":
            raise kafka.TopicAuthorizationFailedError(self._topic)
        self._places = [TopicPartition(self._topic, one.partition) for one in topic.partitions]
        self._consumer = AIOKafkaConsumer(**self._connection, enable_auto_commit=False)
        self._admin = AIOKafkaAdminClient(**self._connection)
        await self._consumer.start()
        await self._admin.start()
        ends = await self._consumer.end_offsets(self._places)
        self._consumer.assign(self._places)
        for place, end in ends.items():
            self._consumer.seek(place, end)


def _finished(offset: int, metadata: str | None) -> Finished:
    try:
        return Finished(offset, decode_islands(metadata or "", offset, _OPEN_END))
    except ValueError:
        return Finished(offset)  # Of somebody else.
