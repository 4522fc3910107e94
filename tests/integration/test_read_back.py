"""Where reading begins for a sampler, on a real Kafka."""

import time

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from bridge.kafka.read_back import Unfinished, find_context
from tests.kafka_client import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


async def write(kafka: Kafka, topic: str, stamps_ms: list[int]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", linger_ms=0)
    await producer.start()
    try:
        for stamp_ms in stamps_ms:
            await producer.send_and_wait(topic, b"x", partition=0, timestamp_ms=stamp_ms)
    finally:
        await producer.stop()


@pytest.mark.parametrize(
    ("start", "read_back_s", "expected"),
    [(150, 5.0, 100), (150, 0.15, 148), (150, 100.0, 0), (200, 5.0, 150), (0, 5.0, 0)],
)
async def test_context_begins_so_long_before_the_first_unfinished_record(
    kafka: Kafka, start: int, read_back_s: float, expected: int
) -> None:
    """The brokers are asked by time, for a log that is finished to its end as well."""
    topic = await kafka.create_topic(partitions=1)
    began_ms = int(time.time() * 1000) - 600_000
    await write(kafka, topic, [began_ms + 100 * number for number in range(200)])
    place = TopicPartition(topic, 0)
    connection = {"bootstrap_servers": kafka.bootstrap.split(",")}

    found = await find_context(connection, {place: Unfinished(start, 0, 200, read_back_s)})

    # The records before decide, of which half are read too much.
    assert expected - 11 <= found[place] <= expected


async def test_context_in_a_topic_without_records_before_is_empty(kafka: Kafka) -> None:
    """Records that are all older than the time asked for are none of it."""
    topic = await kafka.create_topic(partitions=1)
    await write(kafka, topic, [1_000_000])
    place = TopicPartition(topic, 0)
    connection = {"bootstrap_servers": kafka.bootstrap.split(",")}
    wanted = {place: Unfinished(1, 0, 1, 5.0)}

    assert await find_context(connection, wanted) == {place: 0}
