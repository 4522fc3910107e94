"""The whole way: OTLP clients, ingest, a real Kafka, the consumer group, OTLP backend."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from bridge.testing import Made, Order, trace_request
from tests.bridge_process import (
    BackendProcess,
    BridgeProcess,
    running_backend,
    running_bridge,
)
from tests.kafka_client import Kafka
from tests.kafka_server import KafkaServer, free_port
from tests.load_clients import EXPORT, Load, partitions_by_trace, split_traces

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(180)]

TRACES = 20_000
SPANS = 100_000

INGEST = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
exporters:
  kafka:
    brokers: ["{kafka}"]
    traces: {{topic: "{topic}"}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [kafka]}}
"""

PROCESS = """
receivers:
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    # A member that was killed is missed after this time.
    session_timeout: 6s
    heartbeat_interval: 1s
    traces: {{topics: ["{topic}"]}}
processors:
  batch: {{}}
exporters:
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces: {{receivers: [kafka], processors: [batch], exporters: [otlp]}}
"""

BOTH = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    traces: {{topics: ["{topic}"]}}
processors:
  batch: {{}}
exporters:
  kafka:
    brokers: ["{kafka}"]
    traces: {{topic: "{topic}", encoding: otlp_proto}}
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces/ingest: {{receivers: [otlp], processors: [batch], exporters: [kafka]}}
    traces/process: {{receivers: [kafka], processors: [batch], exporters: [otlp]}}
"""


@pytest.fixture(scope="module")
def spare() -> Iterator[KafkaServer]:
    """A Kafka that a test may stop without disturbing the others."""
    with KafkaServer() as server:
        yield server


async def _send(bridge: BridgeProcess, load: Load, requests: list[Made]) -> None:
    found = bridge.endpoints
    await load.send(requests, found["receivers/otlp/grpc"], found["receivers/otlp/http"])


async def _send_one(endpoint: str, made: Made, timeout_s: float = 10.0) -> None:
    async with grpc.aio.insecure_channel(endpoint) as channel:
        await channel.unary_unary(EXPORT)(made.body, timeout=timeout_s)


@pytest.mark.parametrize("order", list(Order))
async def test_everything_arrives_once_and_traces_stay_whole(
    kafka: Kafka, tmp_path: Path, order: Order
) -> None:
    """100,000 spans from four clients arrive once each, every trace in one partition."""
    topic = await kafka.create_topic(partitions=12)
    load = Load()
    async with running_backend() as backend:
        config = BOTH.format(
            grpc=0,
            http=0,
            kafka=kafka.bootstrap,
            topic=topic,
            group=kafka.unique("group"),
            backend=backend.grpc,
        )
        async with running_bridge(config, tmp_path) as bridge:
            await _send(bridge, load, split_traces(TRACES, order))
            await backend.wait_spans(SPANS)
            load.ledger.delivered(await backend.span_ids())
            code = await bridge.stop()

    balance = load.ledger.balance()
    places = partitions_by_trace(await kafka.read_all(topic))
    assert balance.lossless, str(balance)
    assert (balance.acknowledged, balance.delivered, balance.duplicates) == (SPANS, SPANS, 0)
    assert len(places) == TRACES
    assert {len(found) for found in places.values()} == {1}
    assert code == 0


async def test_killed_processes_lose_nothing_acknowledged(kafka: Kafka, tmp_path: Path) -> None:
    """kill -9 of the ingest side and of the process side under load costs duplicates at most."""
    topic = await kafka.create_topic(partitions=12)
    requests = split_traces(TRACES, Order.SDK, seed=3)
    load = Load()
    async with running_backend() as backend:
        ports = {"grpc": free_port(), "http": free_port()}
        ingest = BridgeProcess(
            INGEST.format(kafka=kafka.bootstrap, topic=topic, **ports), tmp_path, "ingest"
        )
        process = BridgeProcess(
            PROCESS.format(
                kafka=kafka.bootstrap,
                topic=topic,
                group=kafka.unique("group"),
                backend=backend.grpc,
            ),
            tmp_path,
            "process",
        )
        try:
            await asyncio.gather(ingest.start(), process.start())
            sending = asyncio.create_task(_send(ingest, load, requests))
            for bridge, share in ((ingest, 0.25), (process, 0.5)):
                await load.wait_acknowledged(round(len(requests) * share))
                await bridge.kill()
                await bridge.start()
            await sending
            await backend.wait_spans(SPANS, timeout_s=120.0)
            load.ledger.delivered(await backend.span_ids())
        finally:
            await ingest.kill()
            await process.kill()

    balance = load.ledger.balance()
    places = partitions_by_trace(await kafka.read_all(topic))
    assert balance.lossless, f"{balance}\n{process.output}"
    assert balance.acknowledged == SPANS
    assert load.retries > 0
    assert {len(found) for found in places.values()} == {1}


async def test_start_without_kafka_waits_for_it(spare: KafkaServer, tmp_path: Path) -> None:
    """The bridge starts while Kafka is away, asks senders to retry, and works when it comes."""
    made = trace_request(10, 2)
    topic = await Kafka(spare).create_topic(partitions=3)
    await asyncio.to_thread(spare.shut_down)
    async with running_backend() as backend:
        names = {"kafka": spare.bootstrap, "topic": topic, "group": "group"}
        config = BOTH.format(grpc=0, http=0, backend=backend.grpc, **names)
        async with running_bridge(config, tmp_path) as bridge:
            endpoint = bridge.endpoints["receivers/otlp/grpc"]
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await _send_one(endpoint, made)
            await asyncio.to_thread(spare.restart)
            await _send(bridge, Load(), [made])
            await backend.wait_spans(20)
            spans = (await backend.summary())["spans"]
            code = await bridge.stop()

    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert spans == 20
    assert code == 0


async def test_sigterm_drains_and_commits(kafka: Kafka, tmp_path: Path) -> None:
    """SIGTERM under load: what was acknowledged is in Kafka, what was delivered is committed."""
    topic, group = await kafka.create_topic(partitions=6), kafka.unique("group")
    requests = split_traces(4_000, Order.SDK, seed=5)
    load = Load()
    async with running_backend() as backend:
        ports = {"grpc": free_port(), "http": free_port()}
        names = {"kafka": kafka.bootstrap, "topic": topic}
        config = BOTH.format(group=group, backend=backend.grpc, **names, **ports)
        async with running_bridge(config, tmp_path) as bridge:
            sending = asyncio.create_task(_send(bridge, load, requests))
            await load.wait_acknowledged(len(requests) // 3)
            await backend.wait_spans(1)  # On a busy machine the group may form later than that.
            code = await bridge.stop()
            committed = await kafka.committed(group, topic)
            delivered_before = await backend.span_ids()
            # The second life takes what the clients could not send, and what is left in Kafka.
            await bridge.start()
            await sending
            await backend.wait_spans(20_000)
            load.ledger.delivered(await backend.span_ids())
            second_code = await bridge.stop()

    balance = load.ledger.balance()
    assert (code, second_code) == (0, 0), bridge.output
    assert balance.lossless, str(balance)
    assert sum(committed.values()) > 0
    assert len(delivered_before) > 0
    assert balance.duplicates == 0, str(balance)


async def test_second_sigterm_ends_at_once(spare: KafkaServer, tmp_path: Path) -> None:
    """A drain that cannot finish is cut short by a second signal, with exit code 75."""
    topic = await Kafka(spare).create_topic(partitions=1)
    config = INGEST.format(kafka=spare.bootstrap, topic=topic, grpc=0, http=0)
    async with running_bridge(config, tmp_path) as bridge:
        endpoint = bridge.endpoints["receivers/otlp/grpc"]
        await _send_one(endpoint, trace_request(1, seed=1))
        spare.pause()
        try:
            waiting = asyncio.create_task(_send_one(endpoint, trace_request(1, seed=2)))
            await asyncio.sleep(0.5)
            bridge.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
            draining = bridge.process is not None and bridge.process.returncode is None
            bridge.send_signal(signal.SIGTERM)
            code = await bridge.wait(5.0)
        finally:
            spare.resume()
        with pytest.raises(grpc.aio.AioRpcError):
            await waiting

    assert draining
    assert code == 75


async def test_backend_away_for_a_while_delays_only(kafka: Kafka, tmp_path: Path) -> None:
    """While the backend refuses, data stays in Kafka; afterwards all of it comes, once each."""
    topic = await kafka.create_topic(partitions=6)
    requests = split_traces(2_000, Order.SDK, seed=7)
    load = Load()
    async with running_backend() as backend:
        await backend.answer(grpc_status=14, http_status=503, message="away")
        config = BOTH.format(
            grpc=0,
            http=0,
            kafka=kafka.bootstrap,
            topic=topic,
            group=kafka.unique("group"),
            backend=backend.grpc,
        )
        async with running_bridge(config, tmp_path) as bridge:
            await _send(bridge, load, requests)
            during = await _delivered(backend)
            await backend.answer()
            await backend.wait_spans(10_000)
            load.ledger.delivered(await backend.span_ids())
            code = await bridge.stop()

    balance = load.ledger.balance()
    assert during == 0
    assert balance.lossless, str(balance)
    assert (balance.delivered, balance.duplicates, code) == (10_000, 0, 0)


async def _delivered(backend: BackendProcess) -> int:
    return int((await backend.summary())["spans"])
