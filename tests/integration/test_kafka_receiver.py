"""The Kafka receiver on a real Kafka."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    Receipt,
    Refused,
    Signal,
    State,
    SystemClock,
    Unavailable,
)
from bridge.flow import decode_islands, read_letter
from bridge.kafka import write_skip
from bridge.receivers.kafka import KafkaReceiver, KafkaReceiverOptions
from bridge.testing import FakeHost, RecordingMetrics, make_settings, trace_request
from tests.kafka_client import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

WAIT_S = 20.0


@dataclass
class Sink:
    """A stage that decides by offset, and keeps what it took."""

    decide: Callable[[int, int], Exception | asyncio.Event | None] = lambda partition, offset: None
    taken: list[tuple[int, int]] = field(default_factory=list)
    offered: list[tuple[int, int]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    custodies: list[Any] = field(default_factory=list)
    in_flight: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, batch: Batch) -> Receipt:
        custody = batch.origin.custody
        assert custody is not None
        places = [(custody.partition, record.offset) for record in batch.origin.records]
        self.offered += places
        if custody not in self.custodies:
            self.custodies.append(custody)
        self.in_flight += 1
        self.changed.set()
        try:
            for partition, offset in places:
                answer = self.decide(partition, offset)
                if isinstance(answer, asyncio.Event):
                    await answer.wait()
                elif answer is not None:
                    raise answer
        finally:
            self.in_flight -= 1
        self.taken += places
        self.batches.append(batch)
        self.changed.set()
        return ACCEPTED

    async def until(self, condition: Callable[[], bool], wait_s: float = WAIT_S) -> None:
        async with asyncio.timeout(wait_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Running:
    receiver: KafkaReceiver
    sink: Sink
    metrics: RecordingMetrics
    host: FakeHost

    def status(self, subject: str) -> State | None:
        status = self.host.statuses().get(subject)
        return status.state if status is not None else None


@asynccontextmanager
async def receiving(
    kafka: Kafka, topic: str, sink: Sink, group: str, *, stop_s: float = 10.0, **options: Any
) -> AsyncIterator[Running]:
    """A receiver of traces in *group*, stopped at the end."""
    metrics, host = RecordingMetrics(), FakeHost()
    config = KafkaReceiverOptions.model_validate(
        {
            "brokers": kafka.bootstrap.split(","),
            "group_id": group,
            "traces": {"topics": [topic]},
            "session_timeout": "6s",
            "heartbeat_interval": "500ms",
            "autocommit": {"interval": "200ms"},
            "lag_interval": "300ms",
            **options,
        }
    )
    settings = make_settings("kafka", metrics=metrics, host=host)
    receiver = KafkaReceiver(config, settings, {Signal.TRACES: sink})
    await receiver.start()
    try:
        yield Running(receiver, sink, metrics, host)
    finally:
        await receiver.stop(Deadline.after(stop_s, SystemClock()))


async def produce(
    kafka: Kafka, topic: str, values: Iterable[bytes], partition: int = 0, **more: Any
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=partition, **more)
    finally:
        await producer.stop()


async def produce_together(kafka: Kafka, topic: str, values: list[bytes]) -> None:
    """Write all of *values* as one record batch."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        batch = producer.create_batch()
        for value in values:
            batch.append(key=None, value=value, timestamp=None)
        await (await producer.send_batch(batch, topic, partition=0))
    finally:
        await producer.stop()


def damage(kafka: Kafka, topic: str, batch: int) -> None:
    """Flip the last byte of a record batch in the broker's log, as a failing disk would."""
    (path,) = kafka.server.members[0].folder.rglob(f"{topic}-0/00000000000000000000.log")
    data = bytearray(path.read_bytes())
    start = 0
    for _ in range(batch):
        start += 12 + int.from_bytes(data[start + 8 : start + 12], "big")
    stop = start + 12 + int.from_bytes(data[start + 8 : start + 12], "big")
    with path.open("r+b") as file:
        file.seek(stop - 1)
        file.write(bytes([data[stop - 1] ^ 0xFF]))


def bodies(count: int) -> list[bytes]:
    """Requests of two spans, each above half a KiB."""
    return [trace_request(1, 2, seed=index, padding_bytes=300).body for index in range(count)]


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until(condition: Callable[[], Any], wait_s: float = WAIT_S) -> None:
    """Ask again and again: for what nobody tells of."""
    async with asyncio.timeout(wait_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def committed(kafka: Kafka, group: str, topic: str) -> dict[int, int]:
    return await kafka.committed(group, topic)


async def until_committed(
    kafka: Kafka, group: str, topic: str, expected: dict[int, int], wait_s: float = WAIT_S
) -> None:
    async with asyncio.timeout(wait_s):
        # A broker tells nobody of commits.
        while (found := await kafka.committed(group, topic)) != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert found == expected


async def metadata(kafka: Kafka, group: str, topic: str) -> str:
    async with kafka.admin() as admin:
        found = await admin.list_consumer_group_offsets(group)
    return found[TopicPartition(topic, 0)].metadata


ALONE = {"max_batch_kib": 1}
"""Records of more than half a KiB are delivered one by one."""


async def test_receiver_delivers_in_order_and_commits(kafka: Kafka) -> None:
    """Records of one partition arrive in order, and the commit stands behind the last."""
    topic = await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    await produce(kafka, topic, bodies(10))

    async with receiving(kafka, topic, Sink(), group) as running:
        await running.sink.until(lambda: len(running.sink.taken) >= 10)

        assert [(0, offset) for offset in range(10)] == running.sink.taken
        assert running.status("") is State.OK
        await until_committed(kafka, group, topic, {0: 10})
        await until(
            lambda: running.metrics.value("otelcol_kafka_receiver_current_offset", topic=topic) == 9
        )
        assert running.metrics.value("otelcol_receiver_accepted_spans") == 20

    assert running.metrics.series("otelcol_kafka_receiver_offset_lag") == []


async def test_receiver_stop_commits_what_was_delivered(kafka: Kafka) -> None:
    """A stop commits at once, without waiting for the interval."""
    topic = await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    await produce(kafka, topic, bodies(3))

    async with receiving(kafka, topic, Sink(), group, autocommit={"interval": "1h"}) as running:
        await running.sink.until(lambda: len(running.sink.taken) >= 3)

    assert await committed(kafka, group, topic) == {0: 3}


async def test_receiver_islands_are_skipped_after_restart(kafka: Kafka) -> None:
    """What finished behind an unfinished record is not delivered again by the next process."""
    topic = await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    await produce(kafka, topic, bodies(12))
    never = asyncio.Event()
    sink = Sink(lambda _, offset: never if offset in (0, 5) else None)

    async with receiving(kafka, topic, sink, group, stop_s=0.5, **ALONE) as running:
        await sink.until(lambda: len(sink.taken) == 10)
    islands = await metadata(kafka, group, topic)
    again = Sink()
    async with receiving(kafka, topic, again, group, **ALONE) as running:
        await again.until(lambda: len(again.taken) >= 2)
        await until_committed(kafka, group, topic, {0: 12})

    assert decode_islands(islands, 0, 12) == ((1, 5), (6, 12))
    assert again.taken == [(0, 0), (0, 5)]
    assert running.metrics.value("bridge_kafka_receiver_redeliveries_skipped") == 10


async def test_receiver_without_islands_delivers_again(kafka: Kafka) -> None:
    """`islands: false` leaves the metadata alone; what was not committed comes again."""
    topic = await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    await produce(kafka, topic, bodies(3))
    never = asyncio.Event()
    sink = Sink(lambda _, offset: never if offset == 0 else None)

    async with receiving(kafka, topic, sink, group, stop_s=0.5, islands=False, **ALONE):
        await sink.until(lambda: len(sink.taken) == 2)
        await until_committed(kafka, group, topic, {0: 0})
    again = Sink()
    async with receiving(kafka, topic, again, group, islands=False, **ALONE):
        await again.until(lambda: len(again.taken) >= 3)

    assert again.taken == [(0, 0), (0, 1), (0, 2)]


async def test_receiver_second_member_takes_over_half(kafka: Kafka) -> None:
    """With a second member every record arrives, and every partition is committed to its end."""
    topic = await kafka.create_topic(partitions=4)
    group = kafka.unique("group")
    first, second = Sink(), Sink()
    for partition in range(4):
        await produce(kafka, topic, bodies(5), partition)

    async with receiving(kafka, topic, first, group) as one:
        await first.until(lambda: len(first.taken) == 20)
        async with receiving(kafka, topic, second, group):
            await until(lambda: one.metrics.value("bridge_kafka_receiver_rebalances") >= 2)
            for partition in range(4):
                await produce(kafka, topic, bodies(5), partition)
            await until(lambda: len(set(first.taken) | set(second.taken)) == 40)
            await until_committed(kafka, group, topic, dict.fromkeys(range(4), 10))

            assert {partition for partition, _ in second.taken} != set()
        # The first one gets everything back.
        for partition in range(4):
            await produce(kafka, topic, bodies(1), partition)
        await until(lambda: len({place for place in first.taken if place[1] == 10}) == 4)


async def test_receiver_result_of_an_older_epoch_never_commits(kafka: Kafka) -> None:
    """A result of an earlier assignment of the same partition does not count."""
    topic = await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    await produce(kafka, topic, bodies(1))
    never = asyncio.Event()
    held = Sink(lambda _, offset: never)

    async with receiving(kafka, topic, held, group, revoke_timeout="300ms") as running:
        await held.until(lambda: held.in_flight == 1)
        old = held.custodies[0]
        async with receiving(kafka, topic, Sink(lambda _, offset: never), group):
            await until(lambda: running.metrics.value("bridge_kafka_receiver_rebalances") >= 2)
        await until(lambda: len(held.custodies) == 2 and held.in_flight == 1)
        old.finish([0])
        await asyncio.sleep(0.6)  # Three commit intervals in which nothing may be committed.

        assert await committed(kafka, group, topic) == {0: 0}
        assert held.custodies[1].epoch > old.epoch


async def test_receiver_poison_goes_to_dead_letters(kafka: Kafka) -> None:
    """A refused record is written with everything it had, and its neighbours are delivered."""
    topic, letters = await kafka.create_topic(partitions=1), await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    values = bodies(5)
    await produce(kafka, topic, values, key=b"key", headers=[("tenant", b"a")])
    sink = Sink(lambda _, offset: Refused("span too odd") if offset == 3 else None)

    async with receiving(kafka, topic, sink, group, dead_letter={"topic": letters}) as running:
        await until_committed(kafka, group, topic, {0: 5})

    (record,) = await kafka.read_all(letters)
    letter = read_letter(record.key, record.value, record.headers)
    assert sorted(sink.taken) == [(0, 0), (0, 1), (0, 2), (0, 4)]
    assert (letter.topic, letter.partition, letter.offset) == (topic, 0, 3)
    assert (letter.key, letter.value) == (b"key", values[3])
    assert letter.headers == (("tenant", b"a"),)
    assert (letter.error, letter.reason, letter.group) == ("Refused", "span too odd", group)
    assert running.metrics.value("bridge_kafka_receiver_dead_letters") == 1


async def test_receiver_undecodable_record_goes_to_dead_letters(kafka: Kafka) -> None:
    """A record that is no OTLP is set aside and counted; what follows is delivered."""
    topic, letters = await kafka.create_topic(partitions=1), await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    await produce(kafka, topic, [b"\xff\xffgarbage", *bodies(1)])

    async with receiving(kafka, topic, Sink(), group, dead_letter={"topic": letters}) as running:
        await until_committed(kafka, group, topic, {0: 2})

    (record,) = await kafka.read_all(letters)
    assert record.value == b"\xff\xffgarbage"
    assert running.sink.taken == [(0, 1)]
    failed = "otelcol_kafka_receiver_unmarshal_failed_spans"
    assert running.metrics.value(failed, topic=topic, partition="0") == 1


async def test_receiver_poison_without_dead_letter_holds_until_skipped(kafka: Kafka) -> None:
    """Only the partition of the poison holds, readiness says so, and a skip request releases it."""
    topic = await kafka.create_topic(partitions=2)
    group = kafka.unique("group")
    await produce(kafka, topic, bodies(5), 0)
    sink = Sink(lambda partition, offset: Refused("no") if (partition, offset) == (0, 2) else None)

    async with receiving(kafka, topic, sink, group) as running:
        await until(lambda: running.status(f"{topic}/0") is State.PERMANENT)
        await produce(kafka, topic, bodies(5), 1)
        await sink.until(lambda: (1, 4) in sink.taken)
        await until_committed(kafka, group, topic, {0: 2, 1: 5})
        hint = running.host.statuses()[f"{topic}/0"].hint

        await write_skip({"bootstrap_servers": kafka.bootstrap}, group, topic, 0, 2)
        await produce(kafka, topic, bodies(1), 0)

        await until_committed(kafka, group, topic, {0: 6, 1: 5})
        assert f"otlp-bridge dlq skip {topic}/0@2" in hint
        assert running.status(f"{topic}/0") is State.OK
        assert running.metrics.value("bridge_kafka_receiver_skipped_records") == 1


async def test_receiver_damaged_batch_is_passed(kafka: Kafka) -> None:
    """A record batch with a wrong checksum is set aside as a whole, what follows is delivered."""
    topic, letters = await kafka.create_topic(partitions=2), await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    values = bodies(3)
    await produce(kafka, topic, values[:1])
    await produce_together(kafka, topic, bodies(4))
    await produce(kafka, topic, values[2:])
    await produce(kafka, topic, bodies(3), 1)
    damage(kafka, topic, batch=1)

    sink = Sink()
    async with receiving(kafka, topic, sink, group, dead_letter={"topic": letters}):
        await until_committed(kafka, group, topic, {0: 6, 1: 3})

    (record,) = await kafka.read_all(letters)
    letter = read_letter(record.key, record.value, record.headers)
    assert set(sink.taken) == {(0, 0), (0, 5), (1, 0), (1, 1), (1, 2)}
    assert (letter.offset, letter.offset_stop) == (1, 5)
    assert "damaged" in letter.reason


async def test_receiver_slow_partition_holds_up_no_other(kafka: Kafka) -> None:
    """A partition whose deliveries do not return pauses; the others are read to their ends."""
    topic = await kafka.create_topic(partitions=3)
    group = kafka.unique("group")
    for partition in range(3):
        await produce(kafka, topic, bodies(20), partition)
    never = asyncio.Event()
    sink = Sink(lambda partition, _: never if partition == 0 else None)

    async with receiving(kafka, topic, sink, group, stop_s=0.5, **ALONE) as running:
        await sink.until(lambda: len(sink.taken) == 40)
        for partition in (1, 2):
            await produce(kafka, topic, bodies(10), partition)
        await sink.until(lambda: len(sink.taken) == 60)

        assert sink.in_flight == 4
        assert running.metrics.value("bridge_kafka_receiver_uncommitted_records") == 20


async def test_receiver_backend_away_keeps_membership(kafka: Kafka) -> None:
    """A backend away for longer than the session costs no membership and no record."""
    topic = await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    await produce(kafka, topic, bodies(5))
    away = True
    sink = Sink(lambda *_: Unavailable("away") if away else None)

    async with receiving(
        kafka, topic, sink, group, error_backoff={"max_interval": "500ms"}, **ALONE
    ) as running:
        await asyncio.sleep(7.0)  # One second more than the session timeout.
        away = False
        await until_committed(kafka, group, topic, {0: 5})

        assert sorted(sink.taken) == [(0, offset) for offset in range(5)]
        assert running.metrics.value("bridge_kafka_receiver_rebalances") == 1
        assert running.metrics.value("bridge_kafka_receiver_retries") > 5


async def test_receiver_missing_topic_is_reported_and_found_later(kafka: Kafka) -> None:
    """A topic that does not exist is named with the command; once created, it is read."""
    topic, group = kafka.unique("late"), kafka.unique("group")

    async with receiving(kafka, topic, Sink(), group) as running:
        await until(lambda: running.status("topics") is State.RECOVERABLE)
        hint = running.host.statuses()["topics"].hint
        await kafka.create_topic(topic, partitions=1)
        await produce(kafka, topic, bodies(1))
        await running.sink.until(lambda: running.sink.taken == [(0, 0)])

        assert running.status("topics") is State.OK

    assert f"--create --partitions 12 --topic {topic}" in hint


async def test_receiver_consumer_that_died_is_replaced(kafka: Kafka) -> None:
    """When aiokafka's coordinator routine dies, another consumer takes over."""
    topic = await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    await produce(kafka, topic, bodies(2))

    async with receiving(kafka, topic, Sink(), group) as running:
        sink = running.sink
        await sink.until(lambda: len(sink.taken) == 2)
        await until_committed(kafka, group, topic, {0: 2})
        consumer = running.receiver._source._session._client._made
        consumer._coordinator._coordination_task.cancel()
        await produce(kafka, topic, bodies(1))
        await sink.until(lambda: (0, 2) in sink.taken)

        restarts = "bridge_kafka_receiver_consumer_restarts"
        await until(lambda: running.metrics.value(restarts) == 1)
        await until_committed(kafka, group, topic, {0: 3})
        assert running.status("kafka") is State.OK


async def test_receiver_without_kafka_starts_and_says_so(unused_port: int) -> None:
    """Start returns at once without a broker; the status says what is wrong; stop is quick."""
    host = FakeHost()
    config = KafkaReceiverOptions(brokers=[f"127.0.0.1:{unused_port}"])
    receiver = KafkaReceiver(config, make_settings("kafka", host=host), {Signal.TRACES: Sink()})

    await receiver.start()
    await until(lambda: "kafka" in host.statuses())
    await receiver.stop(Deadline.after(5.0, SystemClock()))

    assert host.statuses()["kafka"].state is State.RECOVERABLE
    assert str(unused_port) in host.statuses()["kafka"].reason


async def test_receiver_headers_become_metadata(kafka: Kafka) -> None:
    """Headers, topic and partition are metadata; only records with equal headers share a batch."""
    topic = await kafka.create_topic(partitions=1)
    group = kafka.unique("group")
    for tenant in (b"a", b"a", b"b"):
        await produce(kafka, topic, bodies(1), headers=[("Tenant", tenant)])

    async with receiving(kafka, topic, Sink(), group) as running:
        await running.sink.until(lambda: len(running.sink.taken) == 3)

    last = running.sink.batches[-1]
    assert last.metadata == {
        "tenant": ("b",),
        "kafka.topic": (topic,),
        "kafka.partition": ("0",),
        "kafka.offset": ("2",),
    }
    assert [len(b.origin.records) for b in running.sink.batches] in ([2, 1], [1, 1, 1])


async def test_receiver_pattern_reads_matching_topics(kafka: Kafka) -> None:
    """A pattern subscribes to what it matches, without what is excluded."""
    prefix = kafka.unique("pat")
    for suffix in ("-a", "-b", "-skip"):
        await kafka.create_topic(prefix + suffix, partitions=1)
        await produce(kafka, prefix + suffix, bodies(1))
    group = kafka.unique("group")
    traces = {"topics": [f"^{prefix}-.*"], "exclude_topics": ["-skip$"]}

    async with receiving(kafka, "", Sink(), group, traces=traces) as running:
        await running.sink.until(lambda: len(running.sink.taken) == 2)

    assert {b.metadata["kafka.topic"][0] for b in running.sink.batches} == {
        f"{prefix}-a",
        f"{prefix}-b",
    }


async def test_receiver_twin_of_a_static_member_keeps_away(kafka: Kafka) -> None:
    """One of the two says what is wrong and rests; the other is left alone and reads all."""
    topic = await kafka.create_topic(partitions=2)
    group = kafka.unique("group")
    sinks = [Sink(), Sink()]
    twin = {"group_instance_id": "twin"}
    async with (
        receiving(kafka, topic, sinks[0], group, **twin) as one,
        receiving(kafka, topic, sinks[1], group, **twin) as other,
    ):
        both = (one, other)
        await until(lambda: any(run.status("kafka") is State.PERMANENT for run in both), 60.0)
        resting, going = both if one.status("kafka") is State.PERMANENT else (other, one)
        for partition in range(2):
            await produce(kafka, topic, bodies(1), partition)
        await until(lambda: len(set(going.sink.taken)) == 2)
        status = resting.host.statuses()["kafka"]

        assert "group_instance_id twin" in status.reason
        assert "POD_NAME" in status.hint
        assert resting.sink.taken == []
        assert going.status("kafka") in (None, State.OK)
