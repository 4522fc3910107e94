"""What was decided about traces, in a topic: for whoever has their partition next."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.core import Deadline, Denied
from bridge.kafka.closing import close_client
from bridge.kafka.errors import map_kafka_error
from bridge.kafka.presence import missing_topics

WRITE_TIMEOUT_S = 20.0
"""Seconds for one write, with connecting; afterwards whoever decided tries again."""

BATCH_BYTES_MAX = 256 * 1024
"""Bytes of one record batch; a decision takes about 45."""

REPLICAS = 3
"""Of a topic that is made on another cluster than its source, if there are so many brokers."""

_CLOSE_TIMEOUT_S = 5.0
_POLL_MS = 500
_SAMPLED, _NOT_SAMPLED = b"sampled", b"not_sampled"


@dataclass(frozen=True, slots=True)
class DecidedTrace:
    """One decision; `at_ms` is milliseconds since the epoch."""

    trace_id: bytes
    sampled: bool
    at_ms: int


class DecisionTopic:
    """
    Decisions in one topic, partitioned like the source that the traces were read from.

    The key is the lowercase hex trace id, the value ``sampled`` or ``not_sampled``, so that
    compaction keeps one record a trace. The topic is made with the first use if it does not exist:
    with as many partitions as the source, ``cleanup.policy=compact,delete``.

    Args:
        span_s:
            Seconds for which decisions are kept, in a topic that is made.
        create:
            Whether it may be made.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        topic: str,
        *,
        principal: str = "",
        span_s: float,
        create: bool,
    ) -> None:
        self.topic = topic
        self._connection = connection
        self._principal = principal
        self._span_s = span_s
        self._create = create
        # What changes: the producer in use, replaced after any failure; and whether the topic is
        # known to exist.
        self._producer: AIOKafkaProducer | None = None
        self._there = False
        self._turn = asyncio.Lock()

    async def write(self, source: str, decided: Mapping[int, Sequence[DecidedTrace]]) -> None:
        """
        Write decisions by partition of the topic *source*, until all in-sync replicas have them.

        Raises:
            Unavailable: If they were not acknowledged in time; some may be written.
            Denied: If the topic is missing, has too few partitions, or we may not write to it.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(WRITE_TIMEOUT_S):
                    producer = await self._opened(source, max(decided, default=0) + 1)
                    await self._send(producer, decided)
            except (kafka.KafkaError, OSError) as error:
                await self._close(_CLOSE_TIMEOUT_S)
                raise self._translated(error, "write decisions to") from error

    async def read(self, source: str, partition: int, timeout_s: float) -> list[DecidedTrace]:
        """
        The decisions about traces of one partition that are younger than the span, oldest first.

        Raises:
            Unavailable: If they could not be read within *timeout_s* seconds.
            Denied: If we may not read them.
        """
        place = TopicPartition(self.topic, partition)
        consumer = AIOKafkaConsumer(**self._connection, enable_auto_commit=False)
        try:
            async with asyncio.timeout(timeout_s):
                async with self._turn:
                    await self._opened(source, partition + 1)
                await consumer.start()
                return await self._read(consumer, place)
        except (kafka.KafkaError, OSError) as error:
            raise self._translated(error, "read decisions from") from error
        finally:
            await close_client(consumer)

    async def stop(self, deadline: Deadline) -> None:
        """Close the connection. Safe twice."""
        await self._close(min(_CLOSE_TIMEOUT_S, deadline.remaining_s))

    async def _read(self, consumer: AIOKafkaConsumer, place: TopicPartition) -> list[DecidedTrace]:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        since_ms = int((time.time() - self._span_s) * 1000)
        first = (await consumer.offsets_for_times({place: since_ms}))[place]
        if first is None or first.offset >= end:
            return []
        consumer.seek(place, first.offset)
        found: list[DecidedTrace] = []
        while await consumer.position(place) < end:
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                found += [one for record in records if (one := _decoded(record)) is not None]
        return found

    async def _send(
        self, producer: AIOKafkaProducer, decided: Mapping[int, Sequence[DecidedTrace]]
    ) -> None:
        sent = []
        for partition, traces in decided.items():
            batch = producer.create_batch()
            for trace in traces:
                fields = {
                    "key": trace.trace_id.hex().encode(),
                    "value": _SAMPLED if trace.sampled else _NOT_SAMPLED,
                    "timestamp": trace.at_ms,
                }
                if batch.append(**fields) is None:
                    sent.append(await producer.send_batch(batch, self.topic, partition=partition))
                    batch = producer.create_batch()
                    batch.append(**fields)
            sent.append(await producer.send_batch(batch, self.topic, partition=partition))
        await asyncio.gather(*sent)

    async def _opened(self, source: str, partitions: int) -> AIOKafkaProducer:
        """A producer of a topic that has at least so many partitions."""
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                **self._connection,
                acks="all",
                compression_type="zstd",
                max_batch_size=BATCH_BYTES_MAX,
                max_request_size=4 * BATCH_BYTES_MAX,
            )
            await self._producer.start()
        if not self._there:
            if await missing_topics(self._producer.client, [self.topic]):
                if not self._create:
                    raise kafka.UnknownTopicOrPartitionError(self.topic)
                await self._make(source, partitions)
            self._there = True
        there = await self._producer.partitions_for(self.topic)
        if len(there) < partitions:
            command = f"kafka-topics --alter --topic {self.topic} --partitions {partitions}"
            raise Denied(
                f"topic {self.topic} has {len(there)} partitions, and its source {source} more",
                hint=f"give it as many: {command}",
            )
        return self._producer

    async def _make(self, source: str, partitions: int) -> None:
        admin = AIOKafkaAdminClient(**self._connection)
        try:
            await admin.start()
            count, replicas = await self._shape_of(admin, source)
            settings = {
                "cleanup.policy": "compact,delete",
                "retention.ms": str(round(self._span_s * 1000)),
            }
            made = await admin.create_topics(
                [NewTopic(self.topic, max(partitions, count), replicas, topic_configs=settings)]
            )
            for _, code, message in made.topic_errors:
                error = kafka.for_code(code)
                if error not in (kafka.NoError, kafka.TopicAlreadyExistsError):
                    raise error(message)
        finally:
            await close_client(admin)

    async def _shape_of(self, admin: AIOKafkaAdminClient, source: str) -> tuple[int, int]:
        """Partitions and replicas of *source*; of no partition if it is on another cluster."""
        if await missing_topics(admin._client, [source]):
            return 0, min(REPLICAS, len((await admin.describe_cluster())["brokers"]))
        (told,) = await admin.describe_topics([source])
        return len(told["partitions"]), len(told["partitions"][0]["replicas"])

    def _translated(self, error: BaseException, what: str) -> Exception:
        return map_kafka_error(
            error, what=f"{what} {self.topic}", topic=self.topic, principal=self._principal
        )

    async def _close(self, timeout_s: float) -> None:
        producer, self._producer = self._producer, None
        self._there = False
        if producer is not None:
            # Bounded: `stop` waits for batches that nobody waits for any more.
            await close_client(producer, timeout_s)


def _decoded(record: Any) -> DecidedTrace | None:
    """A record as we write them; `None` for anybody else's."""
    try:
        trace_id = bytes.fromhex((record.key or b"").decode())
    except ValueError:
        return None
    if len(trace_id) != 16 or record.value not in (_SAMPLED, _NOT_SAMPLED):
        return None
    return DecidedTrace(trace_id, record.value == _SAMPLED, record.timestamp)
