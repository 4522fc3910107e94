"""Our reader of record batches inside aiokafka's consumer, against a real broker."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bridge.kafka.fetched import read_by_ourselves
from bridge.kafka.record_reader import FetchedRecord
from tests.kafka_client import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_consumer_reads_our_records(kafka: Kafka, codec: str | None) -> None:
    """All of them, in order, in several fetches, as aiokafka's own consumer reads them."""
    topic = await kafka.create_topic(partitions=1)
    values = [b"%d" % number * 200 for number in range(500)]
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type=codec)
    await producer.start()
    try:
        for value in values:
            await producer.send(topic, value, key=value[:3], headers=[("h", value[:1])])
    finally:
        await producer.stop()
    seen = []
    for ours in (True, False):
        consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka.bootstrap,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8192,
        )
        await consumer.start()
        try:
            if ours:
                read_by_ourselves(consumer._fetcher)
            consumer.assign([TopicPartition(topic, 0)])
            got = [await consumer.getone() for _ in values]
        finally:
            await consumer.stop()
        seen.append([(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in got])
        assert {isinstance(record, FetchedRecord) for record in got} == {ours}

    assert [value for _, _, _, value, _ in seen[0]] == values
    assert seen[0] == seen[1]
