"""A cluster made of dictionaries, behind the interface of `RawProducer`."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatch

from bridge.kafka import Opening, Written
from bridge.kafka.raw_producer import Abandoned, Landed
from bridge.kafka.record_batch import RecordBatch


@dataclass
class StoredRecord:
    """A record as a consumer would see it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass
class FakeCluster:
    """
    Topics, what was written to them, and how the next sends go.

    `script` holds one entry a send: an error to raise, ``"hang"``, or ``"lose"`` (written, but the
    answer never comes). An empty script acknowledges. `connects` does the same for connecting, and
    `connected` is set when a second producer has connected.
    """

    topics: dict[str, int] = field(default_factory=dict)
    limit: int = 1_048_588
    any_topic: int = 0
    script: list[Any] = field(default_factory=list)
    connects: list[BaseException] = field(default_factory=list)
    addresses: frozenset[tuple[str, int]] = frozenset({("broker", 9092)})
    written: list[StoredRecord] = field(default_factory=list)
    batches: list[tuple[str, int, int]] = field(default_factory=list)
    producers: list["FakeRaw"] = field(default_factory=list)
    wraps: bool = False
    connected: asyncio.Event = field(default_factory=asyncio.Event)

    def opening(self, idempotent: bool = True) -> Opening:
        """Producers of this cluster."""

        async def explain() -> BaseException | None:
            return None

        return Opening(lambda: FakeRaw(self), explain, idempotent, "User:me", "broker:9092")

    def values(self) -> list[bytes]:
        """All values in the order in which they were written."""
        return [record.value for record in self.written]


class FakeRaw:
    """One producer of a `FakeCluster`; what it takes is stored at once."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.doubt = ""
        self.attention = asyncio.Event()
        self.waits_s = 0.0
        self.killed = self.closed = False
        self.hanging: dict[tuple[str, int], asyncio.Future[Written]] = {}
        self.addresses = cluster.addresses
        self.client = FakeClient(cluster)
        cluster.producers.append(self)

    async def start(self, timeout_s: float) -> None:
        if self.cluster.connects:
            raise self.cluster.connects.pop(0)
        if len(self.cluster.producers) > 1:
            self.cluster.connected.set()

    @property
    def idle(self) -> bool:
        return not self.hanging

    def partitions(self, topic: str) -> int:
        return self.cluster.topics.get(topic, self.cluster.any_topic)

    def longest_wait_s(self) -> float:
        return self.waits_s

    def suspect(self, doubt: str) -> None:
        self.doubt = self.doubt or doubt
        self.attention.set()

    def busy(self, where: TopicPartition) -> "asyncio.Future[Written] | None":
        return self.hanging.get(where)

    def near_wrap(self, where: TopicPartition) -> bool:
        wraps, self.cluster.wraps = self.cluster.wraps, False
        return wraps

    async def send(self, where: TopicPartition, batch: RecordBatch) -> "asyncio.Future[Written]":
        return self._send(where, batch)

    def send_nowait(self, where: TopicPartition, batch: RecordBatch, landed: Landed) -> bool:
        if self.busy(where) is not None or self.near_wrap(where):
            return False
        self._send(where, batch).add_done_callback(
            lambda future: landed(future.exception() or future.result())
        )
        return True

    def _send(self, where: TopicPartition, batch: RecordBatch) -> "asyncio.Future[Written]":
        waiter: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        step = self.cluster.script.pop(0) if self.cluster.script else None
        if isinstance(step, KafkaError):
            waiter.set_exception(step)
            return waiter
        if step != "hang":
            data = bytes(batch._build())
            self.cluster.batches.append((*where, len(data)))
            for record in DefaultRecordBatch(data):
                stored = StoredRecord(*where, record.key, record.value, list(record.headers))
                self.cluster.written.append(stored)
        if step in ("hang", "lose"):
            self.hanging[where] = waiter
            return waiter
        waiter.set_result(Written(0, len(data), batch.uncompressed_bytes, 0.001))
        return waiter

    def abandon(self) -> None:
        for waiter in self.hanging.values():
            if not waiter.done():
                waiter.set_exception(Abandoned("the producer was replaced"))
                waiter.exception()
        self.hanging.clear()

    async def close(self, timeout_s: float) -> None:
        self.abandon()
        self.closed = True

    async def kill(self) -> None:
        self.abandon()
        self.killed = True


class FakeClient:
    """Answers what `bridge.kafka.topics` asks."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.asked = 0

    def get_random_node(self) -> int:
        return 0

    async def add_topic(self, name: str) -> bool:
        return True

    async def send(self, node: int, request: Any) -> Any:
        if type(request).__name__ == "MetadataRequest":
            self.asked += 1
            (name,) = request._topics
            count = self.cluster.topics.get(name, self.cluster.any_topic)
            code = 0 if count else 3
            return SimpleNamespace(topics=[(code, name, False, [None] * count)])
        (resource,) = request._resources
        limit = ("max.message.bytes", str(self.cluster.limit), False, 1, False, [])
        return SimpleNamespace(resources=[(0, None, 2, resource[1], [limit])])
