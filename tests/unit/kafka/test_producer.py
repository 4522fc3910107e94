"""The producer is replaced whenever its client cannot go on, and says so."""

import asyncio
from collections.abc import AsyncIterator

import aiokafka.errors as kafka
import pytest
from aiokafka import TopicPartition

from bridge.core import Deadline, DeliveryError, Denied, Interrupted, SystemClock, Unavailable
from bridge.kafka import OutRecord, Producer
from bridge.kafka.record_batch import RecordBatch
from bridge.testing import ManualClock, settle
from tests.unit.kafka.fake_cluster import FakeCluster


class Heard:
    """What the owner is told."""

    def __init__(self) -> None:
        self.resets: list[str] = []
        self.troubles: list[str] = []
        self.reset = asyncio.Event()

    def producer_reset(self, reason: str) -> None:
        self.resets.append(reason)
        self.reset.set()

    def producer_trouble(self, error: DeliveryError | None) -> None:
        self.troubles.append("" if error is None else str(error))


class Bench:
    """A producer on a fake cluster."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.heard = Heard()
        self.clock = ManualClock()
        self.producer = Producer(cluster.opening(), self.heard, self.clock)

    async def send(self, timeout_s: float | None = 5.0) -> None:
        batch = RecordBatch(10_000, None)
        assert batch.add(OutRecord(None, b"x", (), 1), 0)
        await self.producer.send(TopicPartition("t", 0), batch, timeout_s)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A started producer that is looked after often, stopped at the end."""
    monkeypatch.setattr("bridge.kafka.producer._WATCH_S", 0.01)
    bench = Bench(FakeCluster({"t": 1}))
    await bench.producer.start()
    yield bench
    await bench.producer.stop(Deadline.after(5, SystemClock()))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (kafka.OutOfOrderSequenceNumber(), "out_of_order_sequence"),
        (kafka.UnknownProducerId(), "unknown_producer_id"),
        (kafka.ProducerFenced(), "fenced"),
        (kafka.NotLeaderForPartitionError(), "failed_batch"),
        (kafka.UnknownError(), "failed_batch"),
    ],
)
async def test_producer_is_replaced_after_a_failed_batch(
    bench: Bench, error: kafka.KafkaError, reason: str
) -> None:
    """A failed batch leaves a gap in the sequence numbers: the next send uses a new producer."""
    bench.cluster.script = [error]
    with pytest.raises(Unavailable):
        await bench.send()
    await bench.send()

    assert [reason] == bench.heard.resets
    assert len(bench.cluster.producers) == 2
    assert len(bench.cluster.written) == 1


async def test_producer_without_idempotence_is_kept_after_a_failed_batch() -> None:
    """Without sequence numbers there is no gap."""
    bench = Bench(FakeCluster({"t": 1}, script=[kafka.NotLeaderForPartitionError()]))
    bench.producer = Producer(bench.cluster.opening(idempotent=False), bench.heard, bench.clock)
    await bench.producer.start()
    with pytest.raises(Unavailable):
        await bench.send()
    await bench.send()
    await bench.producer.stop(Deadline.after(5, SystemClock()))

    assert bench.heard.resets == []


async def test_producer_near_the_wrap_is_replaced_before_it_sends(bench: Bench) -> None:
    """The batch goes by the new producer and nothing is sent twice."""
    bench.cluster.wraps = True
    await bench.send()

    assert bench.heard.resets == ["sequence_wrap"]
    assert len(bench.cluster.written) == 1


async def test_batch_of_a_dead_producer_is_in_doubt(bench: Bench) -> None:
    """Whoever waits hears at once that it may or may not be written."""
    bench.cluster.script = ["lose"]
    sending = asyncio.ensure_future(bench.send(timeout_s=None))
    await settle()
    bench.cluster.producers[0].suspect("sender_dead")

    with pytest.raises(Unavailable, match="replaced"):
        await sending
    await bench.send()
    assert bench.cluster.producers[0].killed
    assert bench.heard.resets == ["sender_dead"]


async def test_partition_is_not_sent_to_while_an_abandoned_batch_is_outstanding(
    bench: Bench,
) -> None:
    """A caller gave up, the client did not: the next batch waits for the first."""
    bench.cluster.script = ["hang"]
    with pytest.raises(Unavailable, match="no acknowledgement"):
        await bench.send(timeout_s=0.01)
    second = asyncio.ensure_future(bench.send())
    await settle()
    assert not second.done()
    raw = bench.cluster.producers[0]
    raw.hanging.pop(("t", 0)).cancel()
    await second

    assert len(bench.cluster.written) == 1


async def test_brokers_with_new_addresses_are_found(bench: Bench) -> None:
    """Nothing is answered and all addresses changed: a new producer takes over."""
    await bench.send()
    old = bench.cluster.producers[0]
    bench.cluster.addresses = frozenset({("elsewhere", 9092)})
    old.waits_s = 4.0
    await bench.heard.reset.wait()

    assert bench.heard.resets == ["addresses"]
    await bench.send()
    await settle()
    assert old.killed


async def test_slow_brokers_that_stay_are_waited_for(bench: Bench) -> None:
    """Without a move the batch stays with its producer, which can still prevent a duplicate."""
    await bench.send()
    bench.cluster.producers[0].waits_s = 4.0
    await bench.cluster.connected.wait()
    await settle()

    assert bench.heard.resets == []
    assert bench.cluster.producers[1].killed


async def test_unreachable_kafka_is_told_at_once_and_recovers() -> None:
    """Start returns, sends fail quickly with the reason, and later succeed without help."""
    cluster = FakeCluster({"t": 1}, connects=[kafka.KafkaConnectionError("refused")] * 2)
    bench = Bench(cluster)
    await bench.producer.start()
    with pytest.raises(Unavailable, match="refused"):
        await bench.send()
    for _ in range(4):
        await bench.clock.advance(5)
        await settle()
    await bench.send()

    assert bench.heard.troubles[0].startswith("cannot connect to Kafka")
    assert bench.heard.troubles[-1] == ""
    await bench.producer.stop(Deadline.after(5, SystemClock()))


async def test_wrong_password_is_denied_with_its_hint() -> None:
    """The hint names the user."""
    cluster = FakeCluster({"t": 1}, connects=[kafka.SaslAuthenticationFailed("bad")])
    bench = Bench(cluster)
    await bench.producer.start()
    with pytest.raises(Denied) as caught:
        await bench.send()

    assert "User:me" in caught.value.hint
    await bench.producer.stop(Deadline.after(5, SystemClock()))


async def test_stopped_producer_interrupts_senders(bench: Bench) -> None:
    """Nobody waits for a producer that will not come."""
    await bench.producer.stop(Deadline.after(5, SystemClock()))

    with pytest.raises(Interrupted):
        await bench.send()
