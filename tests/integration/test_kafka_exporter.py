"""The Kafka exporter against a real broker: what is acknowledged is there, whatever breaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka import TopicPartition

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    Denied,
    Origin,
    Receipt,
    Signal,
    SystemClock,
    Unavailable,
)
from bridge.exporters.kafka import KafkaExporter, KafkaExporterConfig
from bridge.kafka import trace_partitions
from bridge.testing import Made, Order, make_settings, span_ids, trace_request
from bridge.wire import count_items
from tests.kafka_client import Kafka
from tests.kafka_server import KafkaServer, free_port

pytestmark = pytest.mark.kafka

CLOCK = SystemClock()


class Running:
    """A started exporter and what it counted."""

    def __init__(self, section: dict[str, Any]) -> None:
        self.settings = make_settings("kafka")
        config = KafkaExporterConfig.model_validate(section)
        self.exporter = KafkaExporter(config, self.settings, frozenset(Signal))

    async def deliver(self, made: Made, seconds: float | None = 20.0) -> Receipt:
        deadline = None if seconds is None else Deadline.after(seconds, CLOCK)
        return await self.exporter.deliver(
            Batch(made.signal, made.body, made.items, Origin("test", deadline))
        )

    async def connect(self) -> None:
        await self.exporter.start()
        await asyncio.wait_for(self.exporter._producer.ready(), 15)

    @property
    def resets(self) -> list[str]:
        return [
            row["reason"] for row in self.settings.metrics.series("bridge_kafka_producer_resets")
        ]

    def sequences(self) -> dict[TopicPartition, int]:
        """The client's sequence numbers, to be spoiled."""
        raw = self.exporter._producer.raw
        assert raw is not None
        numbers: dict[TopicPartition, int] = raw._inner._txn_manager._sequence_numbers
        return numbers


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts exporters and stops them at the end, in bounded time."""
    running: list[Running] = []

    async def begin(bootstrap: str, **section: Any) -> Running:
        one = Running({"brokers": bootstrap.split(","), **section})
        running.append(one)
        await one.connect()
        return one

    yield begin
    for one in running:
        async with asyncio.timeout(10):
            await one.exporter.stop(Deadline.after(2, CLOCK))


async def ids_in(kafka: Kafka, topic: str) -> list[bytes]:
    """Every span id that can be read, repeated where it was written twice."""
    return [key for record in await kafka.read_all(topic) for key in span_ids(record.value)]


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_spans_are_written_once_and_by_trace(
    kafka: Kafka, start: Start, order: Order, codec: str
) -> None:
    """Every codec and both orders of fields: complete, no duplicate, each trace in its place."""
    topic = await kafka.create_topic()
    running = await start(kafka.bootstrap, traces={"topic": topic}, producer={"compression": codec})
    many = [trace_request(12, 4, order=order, seed=seed) for seed in range(10)]
    assert {ACCEPTED} == set(await asyncio.gather(*(running.deliver(made) for made in many)))
    records = await kafka.read_all(topic)
    found = [key for record in records for key in span_ids(record.value)]

    assert sorted(key for made in many for key in made.span_ids) == sorted(found)
    for record in records:
        ids = sorted({key[:16] for key in span_ids(record.value)})
        assert {record.partition} == set(trace_partitions(ids, 12, "sarama_compat"))


async def test_topic_limit_is_read_and_kept(kafka: Kafka, start: Start) -> None:
    """A topic that takes less than we are configured for: everything that can be is written."""
    topic = await kafka.create_topic(partitions=2, configs={"max.message.bytes": "3000"})
    running = await start(kafka.bootstrap, traces={"topic": topic})
    large = trace_request(1, 1, padding_bytes=4000, service="mill")
    small = trace_request(100, 2)
    receipt = await running.deliver(Made(Signal.TRACES, small.body + large.body, 201))

    assert receipt.rejected_items == 1
    assert "service mill" in receipt.message
    assert sorted(small.span_ids) == sorted(await ids_in(kafka, topic))
    assert running.resets == []


async def test_limit_that_shrank_meanwhile_is_found_by_the_broker(
    kafka: Kafka, start: Start
) -> None:
    """The broker refuses the batch: it is cut, the producer replaced, and nothing is missing."""
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    topic = await kafka.create_topic(partitions=1)
    running = await start(kafka.bootstrap, traces={"topic": topic})
    await running.deliver(trace_request(seed=9))
    async with kafka.admin() as admin:
        changed = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "3000"})
        await admin.alter_configs([changed])
    made = trace_request(60, 2)
    while (await running.deliver(trace_request(seed=8))) != ACCEPTED:
        pass
    assert await running.deliver(made) == ACCEPTED

    assert set(made.span_ids) <= set(await ids_in(kafka, topic))


async def test_sequence_numbers_never_wrap(kafka: Kafka, start: Start) -> None:
    """Ten records before 2^31 the producer is replaced, and twenty batches are written once."""
    topic = await kafka.create_topic(partitions=1)
    running = await start(kafka.bootstrap, traces={"topic": topic})
    await running.deliver(trace_request(seed=99))
    running.sequences()[TopicPartition(topic, 0)] = 2**31 - 10
    many = [trace_request(seed=seed) for seed in range(20)]
    for made in many:
        assert await running.deliver(made) == ACCEPTED

    assert running.resets == ["sequence_wrap"]
    assert len(await ids_in(kafka, topic)) == 21


async def test_gap_in_the_sequence_is_mended_by_a_new_producer(kafka: Kafka, start: Start) -> None:
    """OUT_OF_ORDER_SEQUENCE_NUMBER, from which aiokafka never recovers."""
    topic = await kafka.create_topic(partitions=1)
    running = await start(kafka.bootstrap, traces={"topic": topic})
    await running.deliver(trace_request(seed=1))
    running.sequences()[TopicPartition(topic, 0)] += 7
    assert await running.deliver(trace_request(seed=2)) == ACCEPTED
    assert await running.deliver(trace_request(seed=3)) == ACCEPTED

    assert running.resets == ["out_of_order_sequence"]
    assert len(await ids_in(kafka, topic)) == 3


async def test_senders_who_all_wait_do_not_wait_for_the_linger(kafka: Kafka, start: Start) -> None:
    """Eight who send again when they are answered: a record for all of them each time, at once."""
    topic = await kafka.create_topic(partitions=1)
    running = await start(kafka.bootstrap, traces={"topic": topic}, producer={"linger": "60s"})

    async def sender(number: int) -> None:
        for seed in range(4):
            await running.deliver(trace_request(seed=100 * number + seed))

    async with asyncio.timeout(20):
        await asyncio.gather(*(sender(number) for number in range(8)))

    assert len(set(await ids_in(kafka, topic))) == 32
    assert len(await kafka.read_all(topic)) == 4


async def test_dead_sender_task_is_replaced_while_batches_wait(kafka: Kafka, start: Start) -> None:
    """Without its sender aiokafka would let everyone wait for ever."""
    topic = await kafka.create_topic(partitions=3)
    running = await start(kafka.bootstrap, traces={"topic": topic}, producer={"linger": "0s"})
    await running.deliver(trace_request(seed=100))
    for seed in range(5):
        delivering = asyncio.ensure_future(running.deliver(trace_request(9, 2, seed=seed)))
        await asyncio.sleep(0)
        raw = running.exporter._producer.raw
        if raw is not None:
            raw._inner._sender.sender_task.cancel()
        assert await asyncio.wait_for(delivering, 10) == ACCEPTED

    assert "sender_dead" in running.resets
    assert len(set(await ids_in(kafka, topic))) == 91


async def test_missing_topic_names_the_command(kafka: Kafka, start: Start) -> None:
    """It is not created behind anybody's back, and found once it is there."""
    topic = kafka.unique()
    running = await start(kafka.bootstrap, traces={"topic": topic})
    with pytest.raises(Denied) as caught:
        await running.deliver(trace_request())
    hint = caught.value.hint
    assert f"--bootstrap-server {kafka.bootstrap.split(',')[0]} --create --topic {topic}" in hint
    async with kafka.admin() as admin:
        assert topic not in await admin.list_topics()
    await kafka.create_topic(topic, partitions=1)
    async with asyncio.timeout(10):
        while True:
            try:
                assert await running.deliver(trace_request()) == ACCEPTED
                break
            except Denied:
                await asyncio.sleep(0.2)


async def test_topic_is_created_when_that_is_allowed(kafka: Kafka, start: Start) -> None:
    """`allow_auto_topic_creation: true`, with the brokers' default number of partitions."""
    topic = kafka.unique()
    running = await start(
        kafka.bootstrap, traces={"topic": topic}, producer={"allow_auto_topic_creation": True}
    )

    assert await running.deliver(trace_request(3, 1)) == ACCEPTED
    assert len(await ids_in(kafka, topic)) == 3


@pytest.mark.parametrize("acks", [1, 0])
async def test_fewer_acknowledgements_are_possible(kafka: Kafka, start: Start, acks: int) -> None:
    """Without idempotence, as asked for."""
    topic = await kafka.create_topic(partitions=2)
    running = await start(
        kafka.bootstrap, traces={"topic": topic}, producer={"required_acks": acks}
    )
    made = trace_request(20, 1)
    assert await running.deliver(made) == ACCEPTED
    async with asyncio.timeout(10):
        # Nothing tells when a record that nobody acknowledges is there: asking is the only way.
        while len(await ids_in(kafka, topic)) < made.items:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_collector_layout_is_one_record_a_trace(kafka: Kafka, start: Start) -> None:
    """`packing: trace`: hex keys, on the same partitions as packed."""
    topic = await kafka.create_topic()
    running = await start(kafka.bootstrap, traces={"topic": topic}, producer={"packing": "trace"})
    made = trace_request(15, 2)
    await running.deliver(made)
    records = await kafka.read_all(topic)

    assert {trace_id.hex().encode() for trace_id in made.trace_ids} == {r.key for r in records}
    for record in records:
        assert count_items(Signal.TRACES, record.value) == 2
        trace_id = bytes.fromhex(record.key.decode())
        assert [record.partition] == trace_partitions([trace_id], 12, "sarama_compat")


@pytest.mark.timeout(170)  # Starts brokers of its own.
async def test_kafka_that_is_down_at_start_is_told_quickly_and_found_later() -> None:
    """Start returns; requests are refused at once with a hint; later they are taken."""
    with KafkaServer() as server:
        server.kill()
        running = Running({"brokers": [server.bootstrap], "traces": {"topic": "t"}})
        await asyncio.wait_for(running.exporter.start(), 1)
        with pytest.raises(Unavailable) as caught:
            await asyncio.wait_for(running.deliver(trace_request()), 6)
        assert caught.value.retry_after_s is not None
        await asyncio.to_thread(server.restart)
        await Kafka(server).create_topic("t", partitions=1)
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await running.deliver(trace_request()) == ACCEPTED
                    break
                except (Unavailable, Denied):
                    await asyncio.sleep(0.2)
        assert len(await ids_in(Kafka(server), "t")) == 1
        await running.exporter.stop(Deadline.after(2, CLOCK))


@pytest.mark.timeout(170)  # Starts brokers of its own.
async def test_broker_killed_and_restarted_loses_nothing(start: Start) -> None:
    """A request that waits without a deadline is written exactly once when the broker is back."""
    with KafkaServer() as server:
        kafka = Kafka(server)
        topic = await kafka.create_topic(partitions=3)
        running = await start(server.bootstrap, traces={"topic": topic})
        await running.deliver(trace_request(6, 1, seed=1))
        await asyncio.to_thread(server.kill)
        waiting = asyncio.ensure_future(running.deliver(trace_request(6, 1, seed=2), None))
        with pytest.raises(Unavailable):
            await running.deliver(trace_request(seed=3), 1.0)
        await asyncio.to_thread(server.restart)

        assert await asyncio.wait_for(waiting, 40) == ACCEPTED
        found = await ids_in(kafka, topic)
        assert set(trace_request(6, 1, seed=2).span_ids) <= set(found)


@pytest.mark.timeout(170)  # Starts brokers of its own.
async def test_brokers_that_all_moved_are_found_within_ten_seconds(start: Start) -> None:
    """The bootstrap address leads to brokers with new addresses: the client is replaced."""
    with KafkaServer() as server:
        kafka = Kafka(server)
        topic = await kafka.create_topic(partitions=2)
        node = server.members[0]

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there = await asyncio.open_connection("127.0.0.1", node.ports["PLAINTEXT"])
            except OSError:
                writer.close()
                return
            await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

        front = await asyncio.start_server(forward, "127.0.0.1", 0)
        port = front.sockets[0].getsockname()[1]
        running = await start(f"127.0.0.1:{port}", traces={"topic": topic})
        await running.deliver(trace_request(seed=1))
        await asyncio.to_thread(server.shut_down)
        settings = node.folder / "server.properties"
        old, new = node.ports["PLAINTEXT"], free_port()
        settings.write_text(settings.read_text().replace(f":{old}", f":{new}"))
        node.ports["PLAINTEXT"] = new
        await asyncio.to_thread(server.restart)
        before = CLOCK.monotonic()
        assert await running.deliver(trace_request(seed=2), None) == ACCEPTED

        assert CLOCK.monotonic() - before < 10.0
        assert "addresses" in running.resets
        front.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until one side closes."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest.mark.slow
@pytest.mark.timeout(170)  # Starts brokers of its own.
async def test_partition_without_a_leader_does_not_poison_the_producer(start: Start) -> None:
    """aiokafka drops the expired batch and leaves a gap: its successor writes everything."""
    with KafkaServer(nodes=3, heap_mib=256) as server:
        kafka = Kafka(server)
        topic = await kafka.create_topic(partitions=3, replicas=1)
        running = await start(server.bootstrap, traces={"topic": topic}, timeout="2s")
        made = trace_request(30, 1, seed=1)
        await running.deliver(trace_request(30, 1, seed=0))
        await asyncio.to_thread(server.kill, 3)
        waiting = asyncio.ensure_future(running.deliver(made, None))
        async with asyncio.timeout(30):
            # The client takes its own time to give a batch up, and counters call nobody.
            while "failed_batch" not in running.resets:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await asyncio.to_thread(server.restart, 3)

        assert await asyncio.wait_for(waiting, 40) == ACCEPTED
        assert set(made.span_ids) <= set(await ids_in(kafka, topic))
        assert await running.deliver(trace_request(30, 1, seed=2)) == ACCEPTED
