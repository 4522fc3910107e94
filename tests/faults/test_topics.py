"""Topics that grow or go, records too large for them, and poison in them."""

import asyncio
import gzip
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from bridge.testing import Made, Order, trace_request
from tests.faults.clients import Shape
from tests.faults.scene import Scene
from tests.kafka_server import free_port

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.faults("F14")
async def test_added_partitions_are_found_and_used(scene: Callable[..., Scene]) -> None:
    """From 3 to 6 under load: both sides take them up within the refresh interval of 3 s."""
    quick = {"metadata": {"refresh_interval": "3s"}}
    async with scene(partitions=3) as s:
        await s.ingest(**quick)
        await s.process(**quick)
        s.clients.start()
        await s.clients.wait_acknowledged(30)
        s.fault()
        await s.cluster.add_partitions(s.topic, 6)
        until = time.monotonic() + 30
        while min((await s.cluster.end_offsets(s.topic)).values()) == 0:
            await asyncio.sleep(0.5)
            assert time.monotonic() < until, "new partitions are not written to"
        await s.clients.wait_acknowledged(30)
        await asyncio.sleep(4)
        s.fault()
        await s.settle()
        places: dict[bytes, set[int]] = {}
        for record in s.records:
            for key in record.ids:
                places.setdefault(key[:16], set()).add(record.partition)
        split = sum(len(found) > 1 for found in places.values())
        s.row.notes.append(f"{split} of {len(places)} traces split by the change")

    assert {record.partition for record in s.records} == set(range(6))


@pytest.mark.faults("F15")
async def test_deleted_topic_is_named_and_the_other_goes_on(scene: Callable[..., Scene]) -> None:
    """The topic of logs is deleted: readiness and status name it, traces go on."""
    async with scene() as s:
        logs = await s.cluster.create_topic(s.cluster.unique("logs"), 2, None, 3)
        health, metrics = free_port(), free_port()
        from tests.faults import configs

        config = configs.ingest(s.brokers, s.topic, *s._ports, health, metrics)
        config["exporters"]["kafka"]["logs"] = {"topic": logs}
        config["exporters"]["kafka"]["metadata"] = {"refresh_interval": "3s"}
        config["service"]["pipelines"]["logs"] = {"receivers": ["otlp"], "exporters": ["kafka"]}
        ingest = await s.bridge("ingest", config, health, metrics)
        await s.process()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        assert await _send_log(s) == 200
        await s.cluster.delete_topic(logs)
        until, status = time.monotonic() + 30, 200
        while status == 200 and time.monotonic() < until:
            await asyncio.sleep(0.5)
            status = await _send_log(s)
        text, command = "", f"--topic {logs}"
        until = time.monotonic() + 20
        while command not in text and time.monotonic() < until:
            await asyncio.sleep(0.5)
            await _send_log(s)
            _, body = await ingest.ready()
            text = f"{body}\n{ingest.log}"
        await s.clients.wait_acknowledged(20)
        await s.cluster.create_topic(logs, 2, None, 3)
        until = time.monotonic() + 30
        again = 0
        while again != 200 and time.monotonic() < until:
            await asyncio.sleep(0.5)
            again = await _send_log(s)
        await s.settle()

    assert status == 503
    assert logs in text
    assert command in text, "no command that mends it"
    assert again == 200


async def _send_log(s: Scene) -> int:
    import aiohttp

    from bridge.testing import log_request

    url = f"http://{s.endpoints()[1]}/v1/logs"
    headers = {"Content-Type": "application/x-protobuf"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=log_request(2).body, headers=headers) as response,
    ):
        await response.read()
        return response.status


@pytest.mark.faults("F30")
async def test_span_too_large_for_kafka_is_told_and_nothing_else(
    scene: Callable[..., Scene],
) -> None:
    """Requests above the topic's limit are split; a span above it is rejected by name."""
    limits = {"max.message.bytes": "262144"}
    async with scene(topic_configs=limits) as s:
        await s.start()
        large = trace_request(20, 5, padding_bytes=20_000, seed=s.seed)
        await s.clients.send_one(large)
        huge = trace_request(1, 1, padding_bytes=500_000, seed=s.seed + 1)
        small = trace_request(3, 2, seed=s.seed + 2)
        body = huge.body + small.body
        both = Made(huge.signal, body, 7, huge.span_ids + small.span_ids)
        told = await s.clients.try_grpc(s.oracle.mint(both))
        s.oracle.acknowledge_ids(small.span_ids)
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        resets = await s.bridges["ingest"].total("bridge_kafka_producer_resets")
        await s.settle()

    assert told.ok
    assert told.rejected == 1
    assert huge.span_ids[0][:16].hex() in told.message
    assert "262144" in told.message
    assert resets == 0


@pytest.mark.quick
@pytest.mark.faults("F31")
async def test_poison_in_the_topic_is_set_aside(scene: Callable[..., Scene]) -> None:
    """Garbage, a cut request, an empty value, a null and a bomb between good records."""
    good = trace_request(2, 2, order=Order.COLLECTOR)
    poison = {
        "garbage": b"\xff" * 300,
        "cut": good.body[:-3],
        "other wire type": b"\x0d" + good.body,
        "gzip": gzip.compress(good.body),
        "json": b'{"resourceSpans": []}',
    }
    async with scene(partitions=2) as s:
        await s.make_dead_letters()
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(10)
        producer = AIOKafkaProducer(bootstrap_servers=s.cluster.bootstrap)
        await producer.start()
        try:
            for value in poison.values():
                await producer.send_and_wait(s.topic, value, partition=0)
            await producer.send_and_wait(s.topic, None, key=b"tombstone", partition=0)
        finally:
            await producer.stop()
        await s.clients.wait_acknowledged(10)
        await s.settle()
        letters = await s.cluster.read_all(s.dead_letters)

    values = {bytes(record.value or b"") for record in letters}
    assert set(poison.values()) <= values, f"{len(letters)} dead letters"
    headers = dict(letters[0].headers)
    assert headers["bridge-dlq-topic"] == s.topic.encode()
    assert headers["bridge-dlq-reason"]


@pytest.mark.faults("F31, bomb")
async def test_compressed_bomb_in_the_topic_is_survived(scene: Callable[..., Scene]) -> None:
    """A record of 64 MiB of zeros, 64 KiB over the wire: memory goes up by less than 6 times."""
    async with scene(partitions=1, topic_configs={"max.message.bytes": "100000000"}) as s:
        await s.make_dead_letters()
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(10)
        before = s.bridges["process"].rss_mib
        producer = AIOKafkaProducer(
            bootstrap_servers=s.cluster.bootstrap,
            compression_type="gzip",
            max_request_size=200_000_000,
            max_batch_size=200_000_000,
        )
        await producer.start()
        try:
            await producer.send_and_wait(s.topic, bytes(64 << 20), partition=0)
        finally:
            await producer.stop()
        await s.clients.wait_acknowledged(10)
        peak = before
        for _ in range(40):
            await asyncio.sleep(0.25)
            peak = max(peak, s.bridges["process"].rss_mib)
        await s.settle()
        s.row.notes.append(f"memory {before:.0f}, at most {peak:.0f} MiB")

    assert peak < before + 6 * 64


@pytest.mark.faults("F31, damaged")
async def test_damaged_batch_on_disk_is_set_aside(scene: Callable[..., Scene]) -> None:
    """One byte of a stored batch is flipped: its offsets are noted, what follows is delivered."""
    cluster = scene().cluster
    topic = await cluster.place_topic({0: (3,)}, {"min.insync.replicas": "1"})
    async with scene(topic=topic) as s:
        await s.make_dead_letters()
        await s.ingest()
        for _ in range(3):
            await s.clients.send_one()
        s.records = await s.stored(topic)
        await asyncio.to_thread(s.cluster.server.shut_down, 3)
        folder = s.cluster.server.members[2].folder / "data" / f"{topic}-0"
        _flip(folder, s.records[1].ids[0][16:])
        await asyncio.to_thread(s.cluster.server.restart, 3)
        await s.cluster.wait_led(topic)
        await s.process()
        await s.wait_delivered(s.records[2].ids, 60)
        await s.wait_delivered(s.records[0].ids, 5)
        damaged = set(s.records[1].ids)
        until = time.monotonic() + 30
        while not damaged <= set(s.oracle.dead_lettered_at) and time.monotonic() < until:
            await asyncio.sleep(1)
            await s.read_dead_letters()
        state = await s._state()

    assert damaged <= set(s.oracle.dead_lettered_at), state
    assert s.oracle.missing == frozenset()


def _flip(folder: Path, wanted: bytes) -> None:
    """Change one byte of *wanted* in the only segment of a partition."""
    (segment,) = folder.glob("*.log")
    copy = segment.with_suffix(".before")
    shutil.copy(segment, copy)
    data = bytearray(segment.read_bytes())
    data[data.index(wanted)] ^= 0xFF
    segment.write_bytes(data)
    copy.unlink()


@pytest.mark.faults("F30, shape")
async def test_large_requests_are_split_by_size(scene: Callable[..., Scene]) -> None:
    """Requests of 600 KB to a topic that takes 100 KB arrive whole, without a producer reset."""
    async with scene(
        topic_configs={"max.message.bytes": "100000"},
        shape=Shape(traces=30, spans_per_trace=4, padding_bytes=5_000),
    ) as s:
        await s.start()
        s.clients.pause_s = 0.3
        s.clients.start()
        await s.clients.wait_acknowledged(12)
        resets = await s.bridges["ingest"].total("bridge_kafka_producer_resets")
        await s.settle()

    assert resets == 0
