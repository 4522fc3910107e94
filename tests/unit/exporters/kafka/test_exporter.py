"""The exporter on a fake cluster: custody, sizes, packing, states."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiokafka.errors as kafka
import pytest

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    Denied,
    Malformed,
    Origin,
    Outcome,
    Overloaded,
    Signal,
    State,
    SystemClock,
    Unavailable,
)
from bridge.exporters.kafka import FACTORY, KafkaExporter, KafkaExporterConfig
from bridge.kafka import trace_partitions
from bridge.testing import Order, log_request, make_settings, metric_request, settle, trace_request
from bridge.wire import count_items, otlp_json, trace_ids
from bridge.wire.shallow import parse
from tests.unit.beginning import begin_and_wait
from tests.unit.kafka.fake_cluster import FakeCluster

CLOCK = SystemClock()
PARTITIONS = 12


class Bench:
    """An exporter on a fake cluster, delivered to by a task that waits or by a call."""

    def __init__(
        self, section: dict[str, Any], cluster: FakeCluster | None = None, begins: bool = False
    ) -> None:
        self.begins = begins
        self.cluster = cluster or FakeCluster(any_topic=PARTITIONS)
        self.settings = make_settings("kafka")
        section = {**section, "producer": {"linger": "0s", **section.get("producer", {})}}
        self.exporter = KafkaExporter(
            KafkaExporterConfig.model_validate(section),
            self.settings,
            frozenset(Signal),
            self.cluster.opening(),
        )

    async def deliver(self, made: Any, seconds: float | None = 5.0) -> Any:
        deadline = None if seconds is None else Deadline.after(seconds, CLOCK)
        origin = Origin("test", deadline)
        batch = Batch(made.signal, made.body, made.items, origin)
        if self.begins:
            return await begin_and_wait(self.exporter, batch)
        return await self.exporter.deliver(batch)

    def value(self, name: str, **labels: str) -> float:
        return float(self.settings.metrics.value(name, **labels))  # type: ignore[attr-defined]

    def items(self, signal: Signal = Signal.TRACES) -> int:
        return sum(count_items(signal, value) for value in self.cluster.values())


Start = Callable[..., Any]


@pytest.fixture(params=["task", "call"])
async def start(request: pytest.FixtureRequest) -> AsyncIterator[Start]:
    """Starts exporters and stops them at the end."""
    running: list[Bench] = []

    async def begin(section: dict[str, Any], cluster: FakeCluster | None = None) -> Bench:
        bench = Bench(section, cluster, begins=request.param == "call")
        running.append(bench)
        await bench.exporter.start()
        await settle()
        return bench

    yield begin
    for bench in running:
        await bench.exporter.stop(Deadline.after(0.2, CLOCK))
        await bench.exporter.stop(Deadline.after(0, CLOCK))


@pytest.mark.parametrize("order", Order)
async def test_traces_are_packed_by_partition(start: Start, order: Order) -> None:
    """One record a partition, null key, marked, each trace where its key hashes to."""
    bench = await start({})
    many = [trace_request(20, 3, order=order, seed=seed) for seed in range(5)]
    assert await asyncio.gather(*(bench.deliver(made) for made in many)) == [ACCEPTED] * 5

    assert sum(made.items for made in many) == bench.items()
    assert len(bench.cluster.written) <= PARTITIONS
    for record in bench.cluster.written:
        assert record.key is None
        assert record.headers == [("bridge-packing", b"partition")]
        spans = [s for _, _, scopes in parse(record.value) for _, items in scopes for s in items]
        ids = trace_ids(Signal.TRACES, spans)
        assert {record.partition} == set(trace_partitions(ids, PARTITIONS, "sarama_compat"))
    assert bench.value("otelcol_exporter_sent_spans") == 300
    assert bench.value("otelcol_kafka_exporter_records") == len(bench.cluster.written)


async def test_unkeyed_signals_share_records(start: Start) -> None:
    """Log records and metrics of many requests: one record each, nothing lost."""
    bench = await start({})
    logs = [log_request(4, seed=seed) for seed in range(6)]
    metrics = [metric_request(7, seed=seed) for seed in range(6)]
    await asyncio.gather(*(bench.deliver(made) for made in logs + metrics))
    topics = {record.topic: record for record in bench.cluster.written}

    assert len(bench.cluster.written) == 2
    assert count_items(Signal.LOGS, topics["otlp_logs"].value) == 24
    assert count_items(Signal.METRICS, topics["otlp_metrics"].value) == 42


async def test_json_is_packed_within_a_request(start: Start) -> None:
    """Documents cannot be joined: one record for each request and partition."""
    bench = await start({"traces": {"encoding": "otlp_json"}})
    made = trace_request(30, 2)
    await bench.deliver(made)
    bodies = [otlp_json.decode(Signal.TRACES, value) for value in bench.cluster.values()]

    assert made.items == sum(count_items(Signal.TRACES, body) for body in bodies)
    assert len(bodies) <= PARTITIONS


async def test_large_requests_are_cut_into_batches_that_fit(start: Start) -> None:
    """Neither the configured size nor the topic's is exceeded, and every span arrives."""
    for limit, section in ((4096, {}), (1 << 20, {"producer": {"max_message_bytes": 4096}})):
        bench = await start(section, FakeCluster(any_topic=2, limit=limit))
        made = trace_request(50, 4)
        assert await bench.deliver(made) == ACCEPTED

        assert made.items == bench.items()
        assert max(size for _, _, size in bench.cluster.batches) <= 4096


async def test_span_that_does_not_fit_is_named_and_the_rest_is_written(start: Start) -> None:
    """The receipt has its service, trace, size and limit."""
    bench = await start({"producer": {"max_message_bytes": 2048}})
    large, small = trace_request(1, 1, padding_bytes=3000, service="mill"), trace_request(5, 2)
    made = type(small)(Signal.TRACES, small.body + large.body, 11)
    receipt = await bench.deliver(made)

    assert receipt.rejected_items == 1
    for part in ("service mill", large.span_ids[0][:16].hex(), "2048 bytes"):
        assert part in receipt.message
    assert bench.items() == 10
    assert bench.value("bridge_exporter_rejected_items", signal="traces") == 1
    assert bench.value("otelcol_exporter_sent_spans") == 10


async def test_span_that_only_fits_compressed_is_written(start: Start) -> None:
    """The topic's limit is about what goes over the wire."""
    cluster = FakeCluster(any_topic=1, limit=2048)
    bench = await start({"producer": {"compression": "zstd"}}, cluster)
    assert await bench.deliver(trace_request(1, 1, padding_bytes=5000)) == ACCEPTED

    assert bench.items() == 1
    assert max(size for _, _, size in cluster.batches) <= 2048


async def test_span_that_does_not_fit_goes_to_the_dead_letter_topic(start: Start) -> None:
    """With its reason; the sender loses nothing and is told."""
    cluster = FakeCluster({"otlp_spans": 12, "dlq": 1})
    section = {"producer": {"max_message_bytes": 2048}, "dead_letter": {"topic": "dlq"}}
    bench = await start(section, cluster)
    made = trace_request(1, 1, padding_bytes=3000)
    receipt = await bench.deliver(made)
    (record,) = cluster.written

    assert receipt.rejected_items == 0
    assert "written to topic dlq" in receipt.message
    assert record.topic == "dlq"
    assert count_items(Signal.TRACES, record.value) == 1
    assert dict(record.headers)["bridge-dlq-topic"] == b"otlp_spans"
    assert bench.value("bridge_exporter_dead_lettered_items") == 1


async def test_missing_topic_is_denied_and_reported(start: Start) -> None:
    """The state says what to type, and clears when the topic is there."""
    cluster = FakeCluster({})
    bench = await start({}, cluster)
    with pytest.raises(Denied) as caught:
        await bench.deliver(trace_request())
    status = bench.settings.host.statuses()["topic otlp_spans"]
    assert "kafka-topics" in caught.value.hint
    assert status.state is State.RECOVERABLE
    assert status.hint == caught.value.hint
    cluster.topics["otlp_spans"] = 3
    bench.exporter._topics._refused.clear()
    assert await bench.deliver(trace_request()) == ACCEPTED

    assert bench.settings.host.statuses()["topic otlp_spans"].state is State.OK


async def test_missing_topic_is_looked_for_while_nobody_sends(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is not ready gets no requests: the state clears without one."""
    monkeypatch.setattr("bridge.exporters.kafka.exporter._LOOK_AGAIN_S", 0.01)
    cluster = FakeCluster({})
    bench = await start({}, cluster)
    with pytest.raises(Denied):
        await bench.deliver(trace_request())
    cluster.topics["otlp_spans"] = 3
    bench.exporter._topics._refused.clear()
    assert bench.exporter._looking is not None
    await asyncio.wait_for(bench.exporter._looking, 10)

    assert bench.settings.host.statuses()["topic otlp_spans"].state is State.OK


async def test_unreachable_kafka_is_unavailable_at_once_with_a_hint(start: Start) -> None:
    """Senders hear within milliseconds when to come back, and the state says why."""
    cluster = FakeCluster(any_topic=1, connects=[kafka.KafkaConnectionError("refused")] * 99)
    bench = await start({}, cluster)
    with pytest.raises(Unavailable, match="refused") as caught:
        await bench.deliver(trace_request())

    assert caught.value.retry_after_s == 1.0
    assert bench.settings.host.state is State.RECOVERABLE


async def test_deadline_is_kept_and_duplicates_are_counted(start: Start) -> None:
    """One partition hangs: the sender hears in time, and what was written counts as possible."""
    bench = await start({})
    bench.cluster.script = ["hang"]
    made = trace_request(40, 1)
    with pytest.raises(Unavailable, match="acknowledge") as caught:
        await bench.deliver(made, seconds=0.2)

    assert caught.value.retry_after_s == 1.0
    assert bench.value("bridge_exporter_possible_duplicates") == made.items
    assert bench.value("otelcol_exporter_send_failed_spans") == made.items


async def test_malformed_request_does_not_touch_its_neighbours(start: Start) -> None:
    """Joined with good ones, only the broken one is refused."""
    bench = await start({})
    good, bad = (
        trace_request(3, 2),
        type(trace_request())(Signal.TRACES, b"\x0a\x06\x12\x04\x12\x02\x0a\x10", 1),
    )
    results = await asyncio.gather(
        *(bench.deliver(made) for made in (good, bad, good)), return_exceptions=True
    )

    assert [results[0], results[2]] == [ACCEPTED, ACCEPTED]
    assert isinstance(results[1], Malformed)
    assert bench.items() == 12


async def test_budget_refuses_before_memory_grows(start: Start) -> None:
    """Requests that wait for Kafka are bounded in bytes."""
    bench = await start({"producer": {"max_buffered_bytes": 20_000}})
    bench.cluster.script = ["hang"] * 100
    made = trace_request(10, 2, padding_bytes=200)
    waiting = [asyncio.ensure_future(bench.deliver(made)) for _ in range(50)]
    await settle()
    refused = [one for one in waiting if one.done()]
    for one in refused:
        with pytest.raises(Overloaded):
            await one

    assert bench.value("bridge_kafka_exporter_buffered_bytes") <= 20_000
    assert len(refused) >= 40
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert bench.value("bridge_kafka_exporter_buffered_bytes") == 0


async def test_exporter_refuses_what_would_wait_too_long(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka takes nothing: OTLP senders come back later, and what Kafka keeps may wait."""
    now_s = [1000.0]
    monkeypatch.setattr("tests.unit.exporters.kafka.test_exporter.SystemClock.monotonic",
                        lambda _: now_s[0])  # fmt: skip
    bench = await start({"producer": {"max_wait": "300ms"}})
    bench.cluster.script = ["hang"] * 1000
    made = trace_request(10, 2, padding_bytes=20_000)
    waiting = []
    for _ in range(10):
        waiting.append(asyncio.ensure_future(bench.deliver(made, seconds=1000.0)))
        await settle()
        now_s[0] += 0.4
    with pytest.raises(Overloaded, match=r"producer\.max_wait") as caught:
        await bench.deliver(made, seconds=1000.0)
    durable = asyncio.ensure_future(bench.deliver(made, seconds=None))
    await settle()
    monkeypatch.undo()

    assert caught.value.retry_after_s
    assert not durable.done()
    for one in (*waiting, durable):
        one.cancel()
    await asyncio.gather(*waiting, durable, return_exceptions=True)


async def test_durable_request_waits_without_a_deadline(start: Start) -> None:
    """What comes from Kafka is kept there until it is written: failures are repeated."""
    bench = await start({})
    bench.cluster.script = [kafka.NotLeaderForPartitionError()] * 3

    assert await bench.deliver(trace_request(), seconds=None) == ACCEPTED


async def test_stop_writes_what_was_gathered(start: Start) -> None:
    """Requests inside the linger are written at once when we stop."""
    bench = await start({"producer": {"linger": "60s"}})
    # Two senders at a time, so that the one who comes next is not known to be the only one.
    await asyncio.gather(*(bench.deliver(trace_request(1, 1), seconds=30) for _ in range(2)))
    written = bench.items()
    delivering = asyncio.ensure_future(bench.deliver(trace_request(4, 1), seconds=30))
    await settle()
    assert not delivering.done()
    await bench.exporter.stop(Deadline.after(5, CLOCK))

    assert await delivering == ACCEPTED
    assert bench.items() == written + 4


async def test_empty_request_is_accepted_without_kafka(start: Start) -> None:
    """There is nothing to write."""
    bench = await start({}, FakeCluster({}))

    assert await bench.deliver(type(trace_request())(Signal.TRACES, b"", 0)) == ACCEPTED


def test_factory_makes_the_exporter() -> None:
    """What the entry point names."""
    exporter = FACTORY.create(FACTORY.config(), make_settings("kafka"), frozenset(Signal))

    assert isinstance(exporter, KafkaExporter)
    assert FACTORY.type_name == "kafka"


async def test_delivery_cancelled_is_told_so_and_gives_back_its_bytes(start: Start) -> None:
    """Whoever began it hears `None` once; the budget is free again and it counts as in doubt."""
    bench = await start({}, FakeCluster(any_topic=PARTITIONS))
    made = trace_request(4)
    outcomes: list[Outcome] = []
    batch = Batch(made.signal, made.body, made.items, Origin("test", Deadline.after(5, CLOCK)))
    await bench.deliver(trace_request(1))  # The topic is known now.
    bench.cluster.script.extend(["hang"] * PARTITIONS)

    pending = bench.exporter.begin_delivery(batch, outcomes.append)
    assert pending is not None
    await settle()
    held = bench.value("bridge_kafka_exporter_buffered_bytes", exporter="kafka")
    pending.cancel()
    pending.cancel()

    assert held == len(made.body)
    assert outcomes == [None]
    assert bench.value("bridge_kafka_exporter_buffered_bytes", exporter="kafka") == 0
    assert (
        bench.value("bridge_exporter_possible_duplicates", exporter="kafka", signal="traces") == 4
    )
    assert bench.value("otelcol_exporter_send_failed_spans") == 0


async def test_copies_of_a_request_are_given_back_with_it(start: Start) -> None:
    """A resource that is repeated in each partition's record is charged only until the answer."""
    bench = await start({})
    made = trace_request(40, 1, service="s" * 20_000)

    assert await bench.deliver(trace_request(1)) == ACCEPTED
    assert await bench.deliver(made) == ACCEPTED
    assert sum(len(value) for value in bench.cluster.values()) > 5 * len(made.body)
    assert bench.value("bridge_kafka_exporter_buffered_bytes", exporter="kafka") == 0
