"""The ledger of a running bridge against what its backend has, on a real Kafka."""

import asyncio
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from aiokafka import AIOKafkaProducer

from bridge.testing import trace_request
from tests.bridge_process import BridgeProcess, running_backend, running_bridge, scrape
from tests.kafka_client import Kafka
from tests.load_clients import EXPORT

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(180)]

CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}}}}}
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    traces: {{topics: ["{topic}"]}}
    dead_letter: {{topic: "{dead}"}}
processors:
  batch: {{}}
  filter: {{trace_conditions: ['resource.attributes["service.name"] == "noise"']}}
  tail_sampling:
    decision_wait: 1s
    policies:
      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}
exporters:
  kafka: {{brokers: ["{kafka}"], traces: {{topic: "{topic}"}}}}
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
extensions: {{admin: {{endpoint: "127.0.0.1:0"}}}}
service:
  extensions: [admin]
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces/ingest: {{receivers: [otlp], exporters: [kafka]}}
    traces/process:
      receivers: [kafka]
      processors: [{processors}]
      exporters: [otlp]
"""

Columns = dict[tuple[str, str], float]


async def _columns(bridge: BridgeProcess) -> Columns:
    """Items by component and column, in flight among them; balanced, or the test ends."""
    await bridge.check_ledger()
    columns: Columns = {}
    for name, value in (await scrape(bridge.endpoints["metrics"])).items():
        labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
        if name.startswith("bridge_ledger_items"):
            key = (labels["component"], labels["column"])
        elif name.startswith("bridge_ledger_in_flight_items"):
            key = (labels["component"], "in_flight")
        else:
            continue
        columns[key] = columns.get(key, 0) + value
    return columns


async def _status(bridge: BridgeProcess) -> dict[str, Any]:
    url = f"http://{bridge.endpoints['extensions/admin']}/api/status"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        told: dict[str, Any] = await answer.json()
        return told


async def _wait(bridge: BridgeProcess, fits: Callable[[Columns], bool]) -> Columns:
    """Scrape until the ledger is as wanted; every scrape on the way must balance."""
    async with asyncio.timeout(60):
        while True:
            columns = await _columns(bridge)
            if fits(columns):
                return columns
            await asyncio.sleep(0.1)


async def _send(bridge: BridgeProcess, *bodies: bytes) -> None:
    endpoint = bridge.endpoints["receivers/otlp/grpc"]
    async with grpc.aio.insecure_channel(endpoint) as channel:
        call = channel.unary_unary(EXPORT)
        for body in bodies:
            await call(body, timeout=20)


async def _produce(kafka: Kafka, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


def _config(kafka: Kafka, topic: str, dead: str, backend: str, processors: str) -> str:
    group = kafka.unique("group")
    return CONFIG.format(
        kafka=kafka.bootstrap,
        topic=topic,
        group=group,
        dead=dead,
        backend=backend,
        processors=processors,
    )


@pytest.mark.parametrize("workers", [1, 2])
async def test_ledger_names_what_became_of_every_span(
    kafka: Kafka, tmp_path: Path, workers: int
) -> None:
    """Filtered, sampled away, delivered, dead-lettered: as many as backend and rules say."""
    topic, dead = await kafka.create_topic(partitions=4), await kafka.create_topic(partitions=1)
    wanted = [trace_request(50, 4, seed=seed, failed_share=0.3) for seed in range(10)]
    noise = [trace_request(25, 4, seed=100 + seed, service="noise") for seed in range(4)]
    async with running_backend() as backend:
        config = _config(kafka, topic, dead, backend.grpc, "filter, tail_sampling, batch")
        arguments = ("--workers", str(workers))
        async with running_bridge(config, tmp_path, arguments=arguments) as bridge:
            await _send(bridge, *(made.body for made in (*wanted, *noise)))
            await _produce(kafka, topic, b"\xff\xff not a request")
            columns = await _wait(
                bridge,
                # A worker that joins late takes partitions over: what it reads again was returned.
                lambda now: (
                    now.get(("receivers/kafka", "consumed"), 0)
                    - now.get(("receivers/kafka", "returned"), 0)
                    == 2401
                    and not now.get(("receivers/kafka", "in_flight"))
                ),
            )
            spans = (await backend.summary())["spans"]
            told = await _status(bridge)

    assert {(one["imbalance"], one["in_flight"]) for one in told["ledger"]} == {(0, 0)}
    shown = {one["component"]: one["columns"] for one in told["ledger"]}
    assert shown["receivers/kafka"]["dropped"] == columns["receivers/kafka", "dropped"]
    assert [one["partition"] for one in told["partitions"]] == [0, 1, 2, 3]
    assert told["dead_letters"]["by_reason"] == {"Malformed": 1}
    assert told["workers"] == ([0, 1] if workers == 2 else [])
    sampled = columns["processors/tail_sampling@traces/process", "delivered"]
    assert columns["receivers/otlp", "received"] == 2400
    assert columns["receivers/otlp", "acknowledged"] == 2400
    assert 0 < spans == sampled == columns["receivers/kafka", "delivered"]
    assert columns["receivers/kafka", "dropped"] == 2400 - spans
    assert columns["receivers/kafka", "dead_lettered"] == 1
    sampler = "processors/tail_sampling@traces/process"
    assert columns[sampler, "taken"] - columns.get((sampler, "returned"), 0) == 2000
    assert columns[sampler, "dropped"] == 2000 - spans
    assert columns["receivers/kafka", "duplicates"] == 0


async def test_ledger_counts_what_the_backend_rejects_and_what_waits(
    kafka: Kafka, tmp_path: Path
) -> None:
    """Partial successes are a column, and so is what a backend that is away has not taken."""
    topic, dead = await kafka.create_topic(partitions=2), await kafka.create_topic(partitions=1)
    made = [trace_request(20, 5, seed=seed) for seed in range(4)]
    async with running_backend() as backend:
        config = _config(kafka, topic, dead, backend.grpc, "filter, batch")
        async with running_bridge(config, tmp_path) as bridge:
            await backend.answer(rejected_items=1)
            await _send(bridge, made[0].body)
            rejected = await _wait(
                bridge, lambda now: now.get(("receivers/kafka", "rejected"), 0) > 0
            )
            await backend.answer(grpc_status=14, http_status=503)
            await _send(bridge, *(one.body for one in made[1:]))
            waiting = await _wait(
                bridge, lambda now: now.get(("receivers/kafka", "in_flight"), 0) == 300
            )
            await backend.answer()
            done = await _wait(bridge, lambda now: not now["receivers/kafka", "in_flight"])
            bridge.send_signal(signal.SIGTERM)
            assert await bridge.wait() == 0

    assert rejected["receivers/kafka", "consumed"] >= rejected["receivers/kafka", "rejected"]
    assert waiting["receivers/kafka", "consumed"] == 400
    assert done["receivers/kafka", "delivered"] + done["receivers/kafka", "rejected"] == 400
