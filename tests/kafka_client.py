"""What tests ask of the real Kafka, in one line each."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from tests.kafka_server import KafkaServer

READ_TIMEOUT_S = 30.0
READY_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Kafka:
    """A running cluster and helpers on it; every call opens and closes its own client."""

    server: KafkaServer

    @property
    def bootstrap(self) -> str:
        """Addresses of the PLAINTEXT listeners, separated by commas."""
        return self.server.bootstrap

    def unique(self, prefix: str = "test") -> str:
        """A name for a topic or group that nobody else has."""
        return f"{prefix}-{uuid.uuid4().hex[:12]}"

    async def create_topic(
        self,
        name: str | None = None,
        partitions: int = 12,
        configs: Mapping[str, str] | None = None,
        replicas: int = 1,
    ) -> str:
        """Create a topic, wait until every partition has a leader, and give its name back."""
        name = name or self.unique("topic")
        async with self.admin() as admin:
            topic = NewTopic(name, partitions, replicas, topic_configs=dict(configs or {}))
            answer = await admin.create_topics([topic])
            for _, code, message in answer.topic_errors:
                if code:
                    raise AssertionError(f"topic {name} was not created: {code} {message}")
            async with asyncio.timeout(READY_TIMEOUT_S):
                # Nothing tells when leaders are elected: asking again is the only way.
                while not await self._led(admin, name, partitions):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        return name

    async def end_offsets(self, topic: str) -> dict[int, int]:
        """The next offset of every partition."""
        async with self.consumer() as consumer:
            found = await consumer.end_offsets(await self._partitions(consumer, topic))
        return {partition.partition: offset for partition, offset in found.items()}

    async def read_all(self, topic: str) -> list[ConsumerRecord]:
        """Every record up to the current end, by partition and offset; transactions ignored."""
        records: list[ConsumerRecord] = []
        async with self.consumer() as consumer:
            partitions = await self._partitions(consumer, topic)
            ends = await consumer.end_offsets(partitions)
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            async with asyncio.timeout(READ_TIMEOUT_S):
                while any([await consumer.position(p) < ends[p] for p in partitions]):
                    for some in (await consumer.getmany(timeout_ms=200)).values():
                        records += some
        return sorted(records, key=lambda record: (record.partition, record.offset))

    async def topic_config(self, topic: str, name: str) -> set[str]:
        """The words of one setting of *topic*."""
        async with self.admin() as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, topic)
            (answer,) = await admin.describe_configs([resource])
        (found,) = answer.resources
        (value,) = [entry[1] for entry in found[4] if entry[0] == name]
        return set(value.split(","))

    async def add_partitions(self, topic: str, count: int) -> None:
        """Let *topic* have *count* partitions."""
        async with self.admin() as admin:
            await admin.create_partitions({topic: NewPartitions(count)})

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """The offset that *group* reads next, of every partition where it committed one."""
        async with self.admin() as admin, asyncio.timeout(READY_TIMEOUT_S):
            found = await self._group_offsets(admin, group)
        return {
            partition.partition: entry.offset
            for partition, entry in found.items()
            if partition.topic == topic and entry.offset >= 0
        }

    async def _group_offsets(self, admin: AIOKafkaAdminClient, group: str) -> Any:
        while True:
            try:
                return await admin.list_consumer_group_offsets(group)
            except KafkaError as error:
                # A young cluster has no coordinators yet: the question brings them into being.
                if not error.retriable:
                    raise
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """An admin client on the PLAINTEXT listener."""
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    @asynccontextmanager
    async def consumer(self, **settings: object) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer without a group unless *settings* name one."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, **{"enable_auto_commit": False, **settings}
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def _partitions(self, consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
        async with asyncio.timeout(READY_TIMEOUT_S):
            async with self.admin() as admin:
                while True:
                    (found,) = await admin.describe_topics([topic])
                    if found["error_code"] == 0:
                        break
                    await asyncio.sleep(0.05)
        return [
            TopicPartition(topic, partition["partition"])
            for partition in sorted(found["partitions"], key=lambda entry: entry["partition"])
        ]

    async def _led(self, admin: AIOKafkaAdminClient, topic: str, partitions: int) -> bool:
        (found,) = await admin.describe_topics([topic])
        led = [entry for entry in found["partitions"] if entry["leader"] >= 0]
        return found["error_code"] == 0 and len(led) == partitions
