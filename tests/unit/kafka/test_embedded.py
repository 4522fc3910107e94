"""The in-process broker speaks the protocol that our client speaks."""

import importlib.util
from collections.abc import AsyncIterator
from importlib.machinery import ModuleSpec

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bridge.core import ConfigError
from bridge.kafka.embedded import EmbeddedBroker
from bridge.kafka.embedded_guard import guard_of


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    """A running broker with one topic of six partitions."""
    broker = EmbeddedBroker({"spans": 6})
    await broker.start()
    yield broker
    await broker.stop()


async def _produce(bootstrap: str, topic: str, *values: bytes) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
        return len(await producer.partitions_for(topic))
    finally:
        await producer.stop()


async def test_broker_topic_has_the_partitions_asked_for(broker: EmbeddedBroker) -> None:
    """Topics are created with their count, at start and later."""
    broker.create_topic("logs", 3)

    counts = [await _produce(broker.bootstrap, topic, b"x") for topic in ("spans", "logs")]

    assert counts == [6, 3]


async def test_broker_group_reads_and_commits(broker: EmbeddedBroker) -> None:
    """A group joins at once, reads what was produced, and finds its commit again."""
    await _produce(broker.bootstrap, "spans", b"a", b"b")
    consumer = AIOKafkaConsumer(
        "spans",
        bootstrap_servers=broker.bootstrap,
        group_id="g",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        values = [(await consumer.getone()).value for _ in range(2)]
        await consumer.commit({TopicPartition("spans", 0): 2})
        committed = await consumer.committed(TopicPartition("spans", 0))
    finally:
        await consumer.stop()

    assert (values, committed) == ([b"a", b"b"], 2)


async def test_broker_records_are_those_produced(broker: EmbeddedBroker) -> None:
    """Everything in a topic can be looked at, empty partitions or not."""
    await _produce(broker.bootstrap, "spans", b"a", b"b")

    found = await broker.records("spans")

    assert [(r.partition, r.offset, r.value) for r in found] == [(0, 0, b"a"), (0, 1, b"b")]


async def test_broker_topic_that_exists_is_refused(broker: EmbeddedBroker) -> None:
    """Creating a topic twice says which one."""
    with pytest.raises(ConfigError, match="topic spans cannot be created"):
        broker.create_topic("spans", 6)


async def test_broker_stopped_twice_is_forgotten() -> None:
    """Stop is safe before start and twice, and the address is no longer guarded."""
    broker = EmbeddedBroker()
    await broker.stop()
    bootstrap = await broker.start()
    running = guard_of([bootstrap])
    await broker.stop()
    await broker.stop()

    assert running is broker.guard
    assert guard_of([bootstrap]) is None
    with pytest.raises(ConfigError, match="not running"):
        broker.create_topic("late")


async def test_broker_without_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the extra the error is the command that installs it."""

    def find(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find)

    with pytest.raises(ConfigError, match=r"pip install 'otlp-kafka-bridge\[embedded\]'"):
        await EmbeddedBroker().start()


async def test_broker_limits_are_those_the_guard_knows(broker: EmbeddedBroker) -> None:
    """Six batches of 0.9 MB are more than a partition keeps: the guard refuses before the sixth."""
    size = 900_000
    await _produce(broker.bootstrap, "spans", *([bytes(size)] * 6))
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap)
    await consumer.start()
    try:
        partition = TopicPartition("spans", 0)
        first = (await consumer.beginning_offsets([partition]))[partition]
    finally:
        await consumer.stop()
    admitted = 0
    while broker.guard.bytes_max >= (admitted + 1) * size:
        broker.guard.admit("spans", 0, size)
        admitted += 1

    assert first == 1
    assert admitted == 4
