"""Reading a topic of dead letters, and sending them where they came from."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from bridge.core import BridgeError, Permanent, Refused, Signal, Unavailable
from bridge.flow import Letter, read_letter
from bridge.kafka.closing import close_client
from bridge.kafka.errors import map_kafka_error
from bridge.kafka.partitioners import Hasher, partition_of
from bridge.kafka.presence import missing_topics
from bridge.kafka.splitting import split_for_partitions

TIMEOUT_S = 20.0
"""Seconds for one answer of the brokers."""

_PACKING_HEADER = "bridge-packing"
_PAGE_RECORDS = 100
_EMPTY_ANSWERS_MAX = 20  # Of one second each.
_RECORD_BYTES_MAX = 256 * 1024 * 1024  # The topic's max.message.bytes shall decide.
_TRACE_KEY_CHARS = 32
_HEX = frozenset(b"0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Filed:
    """A letter and where it is kept; `letter` is `None` for a record that is none of ours."""

    topic: str
    partition: int
    offset: int
    letter: Letter | None

    @property
    def place(self) -> str:
        """``TOPIC/PARTITION@OFFSET`` of the letter itself."""
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record as it goes back: key and headers as they were."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int


def plan_replay(letter: Letter, partitions: int, hasher: Hasher) -> list[Outgoing]:
    """
    The records that give *letter* back to its topic, which has so many *partitions* now.

    Packed records are split again, and records keyed by trace id are placed again: their
    partitions follow from the present count. Everything else goes to the partition it was in.

    Raises:
        Refused: If it cannot be given back: the original is not in the letter, or its partition
            is gone.
        Malformed: If it is packed and cannot be split.
        TooLarge: If splitting it would copy too much.
    """
    if letter.value is None or letter.offset_stop > letter.offset + 1:
        raise Refused("the letter stands for records that could not be read: there is no original")
    packed = any(name == _PACKING_HEADER for name, _ in letter.headers)
    if packed and letter.signal is not Signal.METRICS:  # Metrics belong to no trace.
        (pieces,) = split_for_partitions(letter.signal, [letter.value], partitions, hasher)
        if isinstance(pieces, Permanent):
            raise pieces
        return [_outgoing(letter, where, piece.body) for where, piece in pieces.items()]
    if letter.key is not None and len(letter.key) == _TRACE_KEY_CHARS and set(letter.key) <= _HEX:
        return [_outgoing(letter, partition_of(letter.key, partitions, hasher), letter.value)]
    if letter.partition >= partitions:
        raise Refused(f"{letter.topic} has only {partitions} partitions now")
    return [_outgoing(letter, letter.partition, letter.value)]


def _outgoing(letter: Letter, partition: int, value: bytes) -> Outgoing:
    return Outgoing(letter.topic, partition, letter.key, value, letter.headers, letter.timestamp_ms)


class LetterBox:
    """
    A topic of dead letters, opened for a while: ``async with LetterBox(...) as box``.

    Args:
        connection: What `connection_kwargs` gave.
        topic: The topic of the dead letters.
    """

    def __init__(self, connection: Mapping[str, Any], topic: str) -> None:
        self.topic = topic
        self._connection = connection
        # What changes: the clients, made when they are needed.
        self._consumer: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> "LetterBox":
        consumer = self._consumer = AIOKafkaConsumer(
            **self._connection, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await self._ask(consumer.start(), "open the dead letters")
            absent = await self._ask(
                missing_topics(consumer._client, [self.topic]), "look for the dead letters"
            )
            if absent:
                raise map_kafka_error(
                    kafka.UnknownTopicOrPartitionError(self.topic),
                    what=f"read dead letters from {self.topic}",
                    topic=self.topic,
                )
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. Safe twice."""
        clients = (self._consumer, self._producer)
        self._consumer = self._producer = None
        for client in clients:
            if client is not None:
                await close_client(client)

    async def letters(self) -> AsyncIterator[Filed]:
        """
        Every letter that is kept now, partition by partition, oldest first.

        Raises:
            Unavailable, Denied: If the brokers do not answer, or do not let us.
        """
        consumer = self._open_consumer()
        count = await self._count_partitions(self.topic)
        places = [TopicPartition(self.topic, partition) for partition in range(count)]
        consumer.assign(places)
        ends = await self._ask(consumer.end_offsets(places), "find the ends of the dead letters")
        begins = await self._ask(consumer.beginning_offsets(places), "find the first dead letter")
        for place in places:
            consumer.assign([place])
            consumer.seek(place, begins[place])
            while await self._ask(consumer.position(place), "read dead letters") < ends[place]:
                for record in await self._page(consumer, place, ends[place]):
                    yield _file(record)

    async def letter_at(self, partition: int, offset: int) -> Filed:
        """
        The letter kept at one place.

        Raises:
            Refused: If there is none.
            Unavailable, Denied: If the brokers do not answer, or do not let us.
        """
        consumer = self._open_consumer()
        place = TopicPartition(self.topic, partition)
        wanted = f"{self.topic}/{partition}@{offset}"
        if partition >= await self._count_partitions(self.topic):
            raise Refused(f"there is no {wanted}: the topic has no such partition")
        ends = await self._ask(consumer.end_offsets([place]), "find the end of the dead letters")
        begins = await self._ask(consumer.beginning_offsets([place]), "find the first dead letter")
        if not begins[place] <= offset < ends[place]:
            raise Refused(
                f"there is no {wanted}: the partition holds {begins[place]} to {ends[place] - 1}"
            )
        consumer.assign([place])
        consumer.seek(place, offset)
        records = await self._page(consumer, place, ends[place])
        if not records or records[0].offset != offset:
            raise Refused(f"there is no {wanted}: it was removed")
        return _file(records[0])

    async def replay(self, letter: Letter, hasher: Hasher) -> int:
        """
        Give *letter* back to its topic and wait until it is safe there.

        Returns:
            The number of records written.

        Raises:
            Refused, Malformed, TooLarge: If it cannot be given back; see `plan_replay`.
            Unavailable, Denied, TooLarge: If Kafka does not take it. Records of a packed letter
                that were written before stay written.
        """
        absent = await self._ask(
            missing_topics(self._open_consumer()._client, [letter.topic]), "look for the topic"
        )
        if absent:
            raise map_kafka_error(
                kafka.UnknownTopicOrPartitionError(letter.topic),
                what=f"write to {letter.topic}",
                topic=letter.topic,
            )
        records = plan_replay(letter, await self._count_partitions(letter.topic), hasher)
        producer = await self._open_producer()
        for record in records:
            await self._ask(
                producer.send_and_wait(
                    record.topic,
                    record.value,
                    record.key,
                    record.partition,
                    record.timestamp_ms,
                    list(record.headers),
                ),
                f"write to {record.topic}/{record.partition}",
            )
        return len(records)

    def _open_consumer(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise BridgeError("the letter box is closed")
        return self._consumer

    async def _open_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                **self._connection,
                acks="all",
                compression_type="zstd",
                max_request_size=_RECORD_BYTES_MAX,
            )
            await self._ask(self._producer.start(), "connect")
        return self._producer

    async def _count_partitions(self, topic: str) -> int:
        client = self._open_consumer()._client
        return len(await self._ask(client._wait_on_metadata(topic), f"describe {topic}"))

    async def _page(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, end: int
    ) -> list[ConsumerRecord[bytes, bytes]]:
        """Some records before *end*; none if there are no more."""
        for _ in range(_EMPTY_ANSWERS_MAX):
            found = await self._ask(
                consumer.getmany(place, timeout_ms=1000, max_records=_PAGE_RECORDS),
                "read dead letters",
            )
            records = [record for record in found.get(place, ()) if record.offset < end]
            if records or await self._ask(consumer.position(place), "read dead letters") >= end:
                return records
        raise Unavailable(f"cannot read dead letters: {self.topic}/{place.partition} gives none")

    async def _ask(self, answer: Any, what: str) -> Any:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await answer
        except (kafka.KafkaError, OSError) as error:
            raise map_kafka_error(error, what=what, topic=self.topic) from error


def _file(record: ConsumerRecord[bytes, bytes]) -> Filed:
    try:
        letter = read_letter(record.key, record.value, record.headers)
    except ValueError:
        letter = None
    return Filed(record.topic, record.partition, record.offset, letter)
