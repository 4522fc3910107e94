"""The real Kafka that the other tests lean on."""

import pytest
from aiokafka import AIOKafkaProducer

from tests.kafka_client import Kafka

pytestmark = pytest.mark.kafka


async def test_kafka_record_written_is_read_back(kafka: Kafka) -> None:
    """A record with key and header comes back, and the end offset counts it."""
    topic = await kafka.create_topic(partitions=3)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"value", b"key", 1, headers=[("name", b"x")])
    finally:
        await producer.stop()

    (record,) = await kafka.read_all(topic)

    assert (
        record.value,
        record.key,
        record.partition,
        record.headers,
    ) == (b"value", b"key", 1, (("name", b"x"),))
    assert await kafka.end_offsets(topic) == {0: 0, 1: 1, 2: 0}


async def test_kafka_topic_config_is_applied(kafka: Kafka) -> None:
    """A topic's own limit refuses a record above it."""
    from aiokafka.errors import MessageSizeTooLargeError

    topic = await kafka.create_topic(partitions=1, configs={"max.message.bytes": "1000"})
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(topic, b"x" * 2000)
    finally:
        await producer.stop()
