"""The hard cases of tail sampling on Kafka, by the number of their rule (design, section 9)."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.config import load
from bridge.core import Deadline, Histogram, SystemClock
from bridge.service import Registry, Service
from bridge.testing.backend import Backend
from bridge.testing.backend_book import Answer
from tests.bridge_process import BridgeProcess
from tests.kafka_client import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(120)]

WAIT_S = 40.0

CONFIG = """
receivers:
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    session_timeout: 6s
    heartbeat_interval: 500ms
    autocommit: {{interval: 100ms}}
    traces: {{topics: ["{topic}"]}}
processors:
  tail_sampling:
    decision_wait: 6s
    policies:
      - name: unwanted
        type: drop
        drop:
          drop_sub_policy:
            - name: marked
              type: string_attribute
              string_attribute: {{key: drop, values: ["yes"]}}
      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}
exporters:
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [kafka], processors: [tail_sampling], exporters: [otlp]}}
"""


def span(
    trace: int,
    number: int,
    *,
    failed: bool = False,
    drop: bool = False,
    padding_bytes: int = 0,
    child: bool = False,
) -> bytes:
    """One span as a request; several behind each other are a packed record."""
    request = ExportTraceServiceRequest()
    made = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(
            trace_id=trace.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name="work"
        )
    )
    made.status.code = 2 if failed else 0
    made.parent_span_id = b"a parent" if child else b""
    if padding_bytes:
        made.attributes.add(key="padding").value.string_value = "x" * padding_bytes
    if drop:
        made.attributes.add(key="drop").value.string_value = "yes"
    return request.SerializeToString()


def key(trace: int, number: int) -> bytes:
    """How the backend's book knows a span."""
    return trace.to_bytes(16, "big") + number.to_bytes(8, "big")


@asynccontextmanager
async def bridging(config: str, folder: Path, name: str) -> AsyncIterator[BridgeProcess]:
    bridge = BridgeProcess(config, folder, name)
    await bridge.start()
    try:
        yield bridge
    finally:
        if bridge.process is not None and bridge.process.returncode is None:
            bridge.send_signal(signal.SIGKILL)
            await bridge.wait()


async def produce(kafka: Kafka, topic: str, records: Sequence[tuple[bytes, float]]) -> None:
    """Write records with times in seconds from now."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    now_ms = int(time.time() * 1000)
    try:
        for body, at_s in records:
            stamp_ms = now_ms + round(at_s * 1000)
            await producer.send_and_wait(topic, body, partition=0, timestamp_ms=stamp_ms)
    finally:
        await producer.stop()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - A broker tells nobody.
            await asyncio.sleep(0.02)


async def until_committed(kafka: Kafka, group: str, topic: str, offset: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while (await kafka.committed(group, topic)).get(0) != offset:  # noqa: ASYNC110 - As above.
            await asyncio.sleep(0.05)


async def test_rule_3_trace_with_a_committed_record_is_judged_on_all_of_it(
    kafka: Kafka, tmp_path: Path
) -> None:
    """
    Packed records, a drop policy whose attribute is only in a committed one, kill -9 between the
    two commits: nothing of that trace comes out.
    """
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    dropped, kept = 1, 2
    await produce(
        kafka,
        topic,
        [
            (span(dropped, 1, drop=True) + span(3, 1), -7.0),
            (span(dropped, 2, failed=True) + span(kept, 1, failed=True), -2.0),
        ],
    )
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic}
    async with Backend() as backend:
        # While no backend answers the second record stays unfinished, however slow this test is.
        async with bridging(CONFIG.format(**where, backend="127.0.0.1:1"), tmp_path, "first"):
            await until_committed(kafka, group, topic, 1)
        config = CONFIG.format(**where, backend=backend.grpc_endpoint)
        async with bridging(config, tmp_path, "second"):
            await until_committed(kafka, group, topic, 2)

        assert {key(kept, 1): 1} == backend.book.span_ids


SERVED = """
receivers:
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    client_id: "{name}"
    heartbeat_interval: 300ms
    revoke_timeout: 20s
    autocommit: {{interval: 100ms}}
    traces: {{topics: ["{topic}"]}}
processors:
  tail_sampling:
    decision_wait: {wait}
    policies:
      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}
exporters:
  otlp:
    endpoint: "{backend}"
    tls: {{insecure: true}}
    # Attempts then end, and the sampler makes the next one.
    retry_on_failure: {{enabled: false}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [kafka], processors: [tail_sampling], exporters: [otlp]}}
"""


@asynccontextmanager
async def serving(**values: Any) -> AsyncIterator[Service]:
    """A bridge in this process, so that a rebalance does not wait for another one to start."""
    values = {"name": "bridge", "wait": "10s", **values}
    async with serving_text(SERVED.format(**values)) as service:
        yield service


@asynccontextmanager
async def serving_text(text: str) -> AsyncIterator[Service]:
    """The same with any configuration."""
    service = Service(load([f"yaml:{text}"], [], Registry(), {}))
    await service.start()
    try:
        yield service
    finally:
        await service.stop(Deadline.after(10.0, SystemClock()))


def figure(service: Service, name: str) -> float:
    """The sum of a counter or gauge over its labels."""
    return sum(
        float(one() if callable(one) else one.value)
        for family in service.metrics.families()
        if family.spec.name == name
        for one in family.series.values()
        if not isinstance(one, Histogram)
    )


async def spread(
    kafka: Kafka, topic: str, partitions: int, traces: int, padding_bytes: int = 0
) -> set[bytes]:
    """Traces with an error, of now, over all partitions; the keys of their spans."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        for trace in range(1, traces + 1):
            body = span(trace, 1, padding_bytes=padding_bytes) + span(trace, 2, failed=True)
            await producer.send(topic, body, partition=trace % partitions)
        await producer.flush()
    finally:
        await producer.stop()
    return {key(trace, number) for trace in range(1, traces + 1) for number in (1, 2)}


async def test_rule_6_partition_that_comes_back_goes_on_with_what_is_held(kafka: Kafka) -> None:
    """
    A member joins: partitions that stay are not read again, the others are by their new owner, and
    every trace comes out once.
    """
    topic, group = await kafka.create_topic(partitions=4), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic}
    async with Backend() as backend:
        where["backend"] = backend.grpc_endpoint
        async with serving(**where, name="first") as first:
            wanted = await spread(kafka, topic, 4, 80)
            undecided = "bridge_processor_tail_sampling_undecided_traces"
            await until(lambda: figure(first, undecided) == 80)
            async with serving(**where, name="second") as second:
                resumed = "bridge_kafka_receiver_partitions_resumed"
                await until(lambda: figure(first, resumed) == 2)
                await until(lambda: figure(second, undecided) == 40)
                assert figure(first, undecided) == 40
                assert backend.book.span_ids == {}
                await until(lambda: wanted <= backend.book.span_ids.keys())
                assert figure(first, "bridge_processor_tail_sampling_replayed_records") == 0

        assert dict.fromkeys(wanted, 1) == backend.book.span_ids


@pytest.mark.parametrize("answer", ["away", "hanging"])
async def test_rule_6_rebalance_waits_for_deliveries_in_flight_only(
    kafka: Kafka, answer: str
) -> None:
    """Neither undecided traces nor a backend that is away hold a rebalance up; a delivery does."""
    topic, group = await kafka.create_topic(partitions=2), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic}
    async with Backend() as backend:
        where["backend"] = "127.0.0.1:1" if answer == "away" else backend.grpc_endpoint
        backend.hold()
        async with serving(**where, name="first", wait="300ms") as first:
            wanted = await spread(kafka, topic, 2, 20)
            held = "bridge_processor_tail_sampling_undelivered_bytes"
            await until(lambda: figure(first, held) > 0)
            began_s = time.monotonic()
            async with serving(**where, name="second", wait="300ms") as second:
                joined = "otelcol_kafka_receiver_partition_start"
                if answer == "hanging":
                    await asyncio.sleep(4.0)
                    assert figure(second, joined) == 0
                    backend.release()
                await until(lambda: figure(second, joined) == 1)
                assert time.monotonic() - began_s < 15.0
                if answer == "hanging":
                    await until(lambda: wanted <= backend.book.span_ids.keys())

        expected = {1} if answer == "hanging" else set()
        assert set(backend.book.span_ids.values()) == expected


async def test_rule_6_orderly_stop_leaves_undecided_traces_to_replay(kafka: Kafka) -> None:
    """What Kafka has is not decided early at the end: the next process decides it in full."""
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic}
    async with Backend() as backend:
        where["backend"] = backend.grpc_endpoint
        async with serving(**where, wait="1h") as first:
            wanted = await spread(kafka, topic, 1, 10)
            undecided = "bridge_processor_tail_sampling_undecided_traces"
            await until(lambda: figure(first, undecided) == 10)
        assert backend.book.span_ids == {}
        assert (await kafka.committed(group, topic)).get(0, 0) == 0
        async with serving(**where, wait="500ms"):
            await until_committed(kafka, group, topic, 10)

        assert dict.fromkeys(wanted, 1) == backend.book.span_ids


LOGGED = SERVED.replace(
    "    policies:",
    """    clock_slack: 0s
    decision_topic: {{brokers: ["{kafka}"], topic: "{decisions}"}}
    policies:""",
)


async def test_rule_14_late_spans_follow_the_first_decision_after_a_restart(kafka: Kafka) -> None:
    """
    Decisions are in a topic made for them, partitioned like the source, before their traces come
    out; another process follows them: a late span of a sampled trace comes out, and a failed one of
    a trace that was not sampled does not.
    """
    topic, group = await kafka.create_topic(partitions=3), kafka.unique("group")
    decisions = kafka.unique("decisions")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic, "decisions": decisions}
    sampled, dropped = 1, 2
    async with Backend() as backend:
        where |= {"backend": backend.grpc_endpoint, "wait": "300ms", "name": "bridge"}
        async with serving_text(LOGGED.format(**where)):
            await produce(kafka, topic, [(span(sampled, 1, failed=True), 0), (span(dropped, 1), 0)])
            await until(lambda: key(sampled, 1) in backend.book.span_ids)
            written = {record.key: record for record in await kafka.read_all(decisions)}
            await until_committed(kafka, group, topic, 2)
        told = {bytes.fromhex(at.decode())[-1]: (r.partition, r.value) for at, r in written.items()}
        assert told[sampled] == (0, b"sampled")
        await asyncio.sleep(1.0)  # So that context, 300 ms before, has nothing of the traces.
        late = [(span(sampled, 2), 0.0), (span(dropped, 2, failed=True), 0.0)]
        await produce(kafka, topic, late)
        async with serving_text(LOGGED.format(**where)) as second:
            await until_committed(kafka, group, topic, 4)
            assert figure(second, "bridge_processor_tail_sampling_decisions_read") == 2

        assert dict.fromkeys([key(sampled, 1), key(sampled, 2)], 1) == backend.book.span_ids
    read = await kafka.read_all(decisions)
    assert {record.partition for record in read} == {0}
    assert len(await kafka.end_offsets(decisions)) == 3
    assert await kafka.topic_config(decisions, "cleanup.policy") == {"compact", "delete"}


async def test_rule_14_nothing_is_delivered_or_committed_undecided_in_the_topic(
    kafka: Kafka,
) -> None:
    """While a decision cannot be written nothing follows from it; once it can be, all does."""
    topic, group = await kafka.create_topic(partitions=2), kafka.unique("group")
    decisions = await kafka.create_topic(partitions=1)
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic, "decisions": decisions}
    async with Backend() as backend:
        where |= {"backend": backend.grpc_endpoint, "wait": "300ms", "name": "bridge"}
        async with serving_text(LOGGED.format(**where)) as service:
            wanted = await spread(kafka, topic, 2, 10)
            failures = "bridge_processor_tail_sampling_decision_write_failures"
            await until(lambda: figure(service, failures) > 0)
            await asyncio.sleep(0.5)
            assert backend.book.span_ids == {}
            assert not any((await kafka.committed(group, topic)).values())
            assert "kafka-topics --alter" in str(service.troubles())
        await kafka.add_partitions(decisions, 2)
        async with serving_text(LOGGED.format(**where)):
            await until(lambda: wanted <= backend.book.span_ids.keys())

        assert dict.fromkeys(wanted, 1) == backend.book.span_ids


async def test_rule_14_decisions_that_cannot_be_read_delay_no_partition(kafka: Kafka) -> None:
    """After `read_timeout` a partition begins without them; what was not written holds the rest."""
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic, "decisions": "nowhere"}
    text = LOGGED.replace(
        'brokers: ["{kafka}"], topic: "{decisions}"',
        'brokers: ["127.0.0.1:1"], topic: nowhere, read_timeout: 500ms',
    )
    async with Backend() as backend:
        where |= {"backend": backend.grpc_endpoint, "wait": "300ms", "name": "bridge"}
        async with serving_text(text.format(**where)) as service:
            await spread(kafka, topic, 1, 5)
            unread = "bridge_processor_tail_sampling_decisions_unread_partitions"
            await until(lambda: figure(service, unread) == 1)
            held = "bridge_processor_tail_sampling_held_records"
            await until(lambda: figure(service, held) == 5)

        assert backend.book.span_ids == {}


async def test_rule_2_records_are_finished_one_by_one_within_a_batch(kafka: Kafka) -> None:
    """Records of one fetch are one batch, and the commit follows each of them all the same."""
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic}
    await produce(
        kafka, topic, [(span(1, 1), -60), (span(2, 1), -50), (span(3, 1, failed=True), -40)]
    )
    await produce(kafka, topic, [(span(4, 1), 0.0)])
    async with Backend() as backend:
        backend.hold()
        async with serving(**where, backend=backend.grpc_endpoint, wait="5s"):
            await until_committed(kafka, group, topic, 2)
            assert backend.book.span_ids == {}
            backend.release()
            await until_committed(kafka, group, topic, 4)

        assert {key(3, 1): 1} == backend.book.span_ids


async def test_rule_4_budgets_pause_partitions_and_do_not_deadlock(kafka: Kafka) -> None:
    """
    Undecided data above its memory is decided early; while more than its share waits for the
    backend, partitions pause and nothing is decided early; afterwards all goes on.
    """
    topic, group = await kafka.create_topic(partitions=2), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic}
    text = SERVED.replace("    policies:", "    memory_limit_mib: 8\n    policies:")
    wanted = await spread(kafka, topic, 2, 300, padding_bytes=100_000)
    early = "bridge_processor_tail_sampling_early_decisions"
    async with Backend() as backend:
        backend.hold()
        text = text.format(**where, backend=backend.grpc_endpoint, name="bridge", wait="1h")
        async with serving_text(text) as service:
            undelivered = "bridge_processor_tail_sampling_undelivered_bytes"
            await until(lambda: figure(service, undelivered) > 4 << 20)
            await asyncio.sleep(1.0)
            before = figure(service, early)
            assert before > 0
            await asyncio.sleep(1.0)
            assert figure(service, early) == before
            held = "bridge_processor_tail_sampling_undecided_bytes"
            assert figure(service, undelivered) + figure(service, held) < 16 << 20
            backend.release()
            await until(lambda: len(backend.book.span_ids) > 400)

        assert wanted > backend.book.span_ids.keys()


@pytest.mark.parametrize("behind_s", [-3600.0, 3600.0], ids=["an hour behind", "an hour ahead"])
async def test_rule_5_producer_with_a_wrong_clock_harms_nobody(
    kafka: Kafka, behind_s: float
) -> None:
    """Its own traces and those of its neighbours wait for their other half, and not longer."""
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic, "wait": "3s"}
    async with Backend() as backend:
        async with serving(**where, backend=backend.grpc_endpoint):
            began_s = time.monotonic()
            await produce(kafka, topic, [(span(1, 1), 0.0), (span(2, 1), behind_s)])
            await asyncio.sleep(1.0)
            halves = [(span(1, 2, failed=True), behind_s), (span(2, 2, failed=True), 0.0)]
            await produce(kafka, topic, halves)
            wanted = {key(trace, number) for trace in (1, 2) for number in (1, 2)}
            await until(lambda: wanted <= backend.book.span_ids.keys())
            assert time.monotonic() - began_s < 15.0

        assert dict.fromkeys(wanted, 1) == backend.book.span_ids


async def test_rule_5_idle_partition_decides_by_the_wall(kafka: Kafka) -> None:
    """The last traces of a partition that brings no more are decided, and not before their time."""
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic, "wait": "3s"}
    async with Backend() as backend:
        async with serving(**where, backend=backend.grpc_endpoint):
            began_s = time.monotonic()
            await produce(kafka, topic, [(span(1, 1, failed=True), 0.0)])
            await until(lambda: key(1, 1) in backend.book.span_ids)

        assert 2.5 < time.monotonic() - began_s < 20.0


async def test_rule_5_paused_partition_stands_still_with_its_clock(kafka: Kafka) -> None:
    """
    While a partition is paused the wall is past `decision_wait` long since, and a trace whose other
    half is not read yet still waits for it: it comes out whole.
    """
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic, "wait": "30s"}
    # Far more than is read before the pause is felt, however slow the machine is.
    halved, fillers = 1, range(2, 52)
    large = [
        # Without a parent, hence roots: decided 200 ms later, on the clock of their records.
        (span(number, 1, failed=True, padding_bytes=900_000), -60.0 + number * 0.25)
        for number in fillers
    ]
    first, second = span(halved, 1, child=True), span(halved, 2, failed=True, child=True)
    await produce(kafka, topic, [(first, -60.0), *large, (second, -46.0), (b"", -20.0)])
    text = SERVED.replace(
        "    policies:",
        "    decision_wait_after_root_received: 200ms\n    memory_limit_mib: 8\n    policies:",
    ).replace("    autocommit:", "    max_partition_fetch_size: 1000000\n    autocommit:")
    async with Backend() as backend:
        backend.hold()
        text = text.format(**where, backend=backend.grpc_endpoint, name="bridge")
        async with serving_text(text) as service:
            undelivered = "bridge_processor_tail_sampling_undelivered_bytes"
            await until(lambda: figure(service, undelivered) > 4 << 20)
            await asyncio.sleep(6.0)
            undecided = "bridge_processor_tail_sampling_undecided_traces"
            assert figure(service, undecided) >= 1
            assert figure(service, "bridge_processor_tail_sampling_early_decisions") == 0
            assert backend.book.span_ids == {}
            backend.release()
            await until_committed(kafka, group, topic, len(large) + 3)

        wanted = [key(halved, 1), key(halved, 2), *(key(number, 1) for number in fillers)]
        assert dict.fromkeys(wanted, 1) == backend.book.span_ids


async def test_rule_13_traces_are_bounded_by_number_only_where_a_file_says_so(
    kafka: Kafka,
) -> None:
    """
    Without `num_traces` a backlog far above the Collector's share of memory waits undecided; with
    it the oldest are decided early, on what is there, and none is dropped.
    """
    topic = await kafka.create_topic(partitions=2)
    wanted = await spread(kafka, topic, 2, 400)
    early = "bridge_processor_tail_sampling_early_decisions"
    undecided = "bridge_processor_tail_sampling_undecided_traces"
    async with Backend() as backend:
        where = {"kafka": kafka.bootstrap, "topic": topic, "backend": backend.grpc_endpoint}
        where |= {"name": "bridge", "wait": "1h"}
        free = SERVED.format(**where, group=kafka.unique("group"))
        async with serving_text(free) as service:
            await until(lambda: figure(service, undecided) == 400)
            assert figure(service, early) == 0
        capped = SERVED.replace("    policies:", "    num_traces: 50\n    policies:")
        async with serving_text(capped.format(**where, group=kafka.unique("group"))) as service:
            await until(lambda: figure(service, early) == 350)
            assert figure(service, undecided) == 50
            await until(lambda: len(backend.book.span_ids) == 700)

        assert wanted > backend.book.span_ids.keys()


def test_rule_13_validate_warns_with_the_rate_at_which_num_traces_bites() -> None:
    """Which a file without it is not told."""
    where = {"kafka": "kafka:9092", "group": "group", "topic": "topic", "backend": "backend:4317"}
    text = SERVED.format(**where, name="bridge", wait="10s")
    capped = text.replace("    policies:", "    num_traces: 50000\n    policies:")

    assert not any(one.code == "BR-2006" for one in problems(text))
    (found,) = [one.message for one in problems(capped) if one.code == "BR-2006"]
    assert "above 5000 new traces a second" in found


def problems(text: str) -> Sequence[Any]:
    """What `validate` warns of."""
    return load([f"yaml:{text}"], [], Registry(), {}).warnings


async def test_rule_15_what_was_finished_beyond_the_commit_does_not_come_again(
    kafka: Kafka,
) -> None:
    """The first record waits for the backend, later ones arrive: their islands outlive a stop."""
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic, "wait": "200ms"}
    async with Backend() as backend:
        backend.book.answer(Answer(delay_s=60.0))
        async with serving(**where, backend=backend.grpc_endpoint) as first:
            await produce(kafka, topic, [(span(1, 1, failed=True), -10.0)])
            await until(lambda: figure(first, "bridge_kafka_receiver_uncommitted_records") == 1)
            await asyncio.sleep(1.0)
            later = [(span(trace, 1, failed=True), 0.0) for trace in range(2, 12)]
            await produce(kafka, topic, later)
            await until(lambda: len(backend.book.span_ids) == 10)
            await until(lambda: figure(first, "bridge_kafka_receiver_islands") == 1)
            await asyncio.sleep(0.5)
        assert (await kafka.committed(group, topic)).get(0, 0) == 0
        async with serving(**where, backend=backend.grpc_endpoint):
            await until_committed(kafka, group, topic, 11)

        assert {key(trace, 1): 1 for trace in range(1, 12)} == backend.book.span_ids


async def test_rule_5_process_that_stood_still_reads_on_before_the_wall_decides(
    kafka: Kafka, tmp_path: Path
) -> None:
    """
    A bridge is stopped for longer than `decision_wait`; the answer that waits for it says that the
    log ended before the trace's other half came, and the broker is slow with the next. The trace
    comes out whole.
    """
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    where = {"kafka": kafka.bootstrap, "group": group, "topic": topic, "name": "bridge"}
    (broker,) = (node.pid for node in kafka.server.members)
    async with Backend() as backend:
        text = SERVED.format(**where, backend=backend.grpc_endpoint, wait="5s")
        async with bridging(text, tmp_path, "bridge") as bridge:
            # What was decided before says that the bridge has read to the end.
            await produce(kafka, topic, [(span(9, 1, failed=True), -20.0), (span(8, 1), 0.0)])
            await until(lambda: key(9, 1) in backend.book.span_ids)
            await produce(kafka, topic, [(span(1, 1), 0.0)])
            await asyncio.sleep(1.5)  # It has read this, and asks for more.
            bridge.send_signal(signal.SIGSTOP)
            await asyncio.sleep(1.0)  # The broker has told that there is no more.
            await produce(kafka, topic, [(span(1, 2, failed=True), 0.0)])
            await asyncio.sleep(6.0)
            os.kill(broker, signal.SIGSTOP)
            bridge.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.9)
            os.kill(broker, signal.SIGCONT)
            await until_committed(kafka, group, topic, 4)

        wanted = [key(9, 1), key(1, 1), key(1, 2)]
        assert dict.fromkeys(wanted, 1) == backend.book.span_ids
