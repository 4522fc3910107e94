"""What a running bridge shows of itself is what the table of metrics says, both ways."""

import asyncio
import re
from pathlib import Path

import aiohttp
import grpc
import pytest
from aiokafka import AIOKafkaProducer

from bridge.telemetry import METRICS, Kind
from bridge.testing import trace_request
from tests.bridge_process import running_backend, running_bridge
from tests.kafka_client import Kafka
from tests.load_clients import EXPORT

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(180)]

CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}, http: {{endpoint: "127.0.0.1:0"}}}}}}
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    traces: {{topics: ["{topic}"]}}
    dead_letter: {{topic: "{dead}"}}
    telemetry: {{metrics: {{kafka_receiver_records_delay: {{enabled: true}}}}}}
processors:
  batch: {{}}
  memory_limiter: {{limit_mib: 4000, check_interval: 1s}}
  filter:
    error_mode: ignore
    trace_conditions: ['span.attributes["n"] == "noise"']
    log_conditions: ['log.body == "noise"']
    metric_conditions: ['metric.name == "noise"']
  probabilistic_sampler: {{sampling_percentage: 100}}
  groupbytrace: {{wait_duration: 200ms}}
  tail_sampling:
    decision_wait: 1s
    policies:
      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}
      - {{name: rest, type: probabilistic, probabilistic: {{sampling_percentage: 50}}}}
exporters:
  kafka: {{brokers: ["{kafka}"], traces: {{topic: "{topic}"}}}}
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
  nop: {{}}
service:
  telemetry:
    metrics: {{address: "127.0.0.1:0"}}
    traces:
      processors: [{{batch: {{exporter: {{otlp: {{protocol: grpc, endpoint: "http://{backend}"}}}}}}}}]
  pipelines:
    traces/ingest: {{receivers: [otlp], processors: [memory_limiter], exporters: [kafka]}}
    traces/process:
      receivers: [kafka]
      processors: [filter, probabilistic_sampler, tail_sampling, batch]
      exporters: [otlp, nop]
    traces/grouped: {{receivers: [kafka], processors: [groupbytrace], exporters: [nop]}}
    logs:
      receivers: [otlp]
      processors: [memory_limiter, filter, probabilistic_sampler]
      exporters: [otlp]
    metrics: {{receivers: [otlp], processors: [memory_limiter, filter], exporters: [otlp]}}
"""

OF_WORKERS = {"bridge_workers_running", "bridge_worker_restarts"}

NOT_HERE = {
    "bridge_kafka_producer_resets": "no producer was replaced",
    "bridge_kafka_receiver_context_records": "no partition was taken over",
    "bridge_kafka_receiver_redeliveries_skipped": "nothing was read twice",
    "otelcol_kafka_receiver_unmarshal_failed_log_records": "the topic holds traces",
    "otelcol_kafka_receiver_unmarshal_failed_metric_points": "the topic holds traces",
    "otelcol_processor_probabilistic_sampler_count_logs_sampled": "no log record came",
}
"""What this configuration cannot show, and why."""

BY_FORMAT = frozenset(("le", "worker"))
"""Labels that the text format and `--workers` add."""


async def _page(address: str) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/metrics") as answer,
    ):
        return await answer.text()


def _labels(text: str) -> dict[str, set[str]]:
    """The label names of each family."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    found: dict[str, set[str]] = {name: set() for name in kinds}
    for name, labels in re.findall(r"^(\w+)(\{.*\})? \S+$", text, re.MULTILINE):
        family = name if name in kinds else re.sub(r"_(bucket|sum|count|created)$", "", name)
        found[family] |= set(re.findall(r'(\w+)="', labels)) - BY_FORMAT
    return found


@pytest.mark.parametrize("workers", [1, 2])
async def test_scrape_is_what_the_table_says(kafka: Kafka, tmp_path: Path, workers: int) -> None:
    """Every family with its type and labels; and every row of the table, but for named ones."""
    topic, dead = await kafka.create_topic(partitions=2), await kafka.create_topic(partitions=1)
    async with running_backend() as backend:
        config = CONFIG.format(
            kafka=kafka.bootstrap,
            group=kafka.unique("group"),
            topic=topic,
            dead=dead,
            backend=backend.grpc,
        )
        arguments = ("--workers", str(workers))
        async with running_bridge(config, tmp_path, arguments=arguments) as bridge:
            endpoint = bridge.endpoints["receivers/otlp/grpc"]
            async with grpc.aio.insecure_channel(endpoint) as channel:
                await channel.unary_unary(EXPORT)(trace_request(20, 3).body, timeout=20)
            async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
                await producer.send_and_wait(topic, b"\xff\xff no request")
            async with asyncio.timeout(60):
                while not (await backend.summary())["spans"]:  # noqa: ASYNC110 - Another process.
                    await asyncio.sleep(0.1)
            text = await _page(bridge.endpoints["metrics"])

    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    labels = _labels(text)
    odd = {name for name, kind in kinds.items() if METRICS[name].kind is not Kind(kind)}
    assert not odd, f"another type than in the table: {odd}"
    wrong = {
        name: (sorted(shown), sorted(METRICS[name].labels))
        for name, shown in labels.items()
        if not shown <= set(METRICS[name].labels)
    }
    assert not wrong, f"labels (shown, in the table): {wrong}"
    elsewhere = NOT_HERE.keys() | (OF_WORKERS if workers == 1 else set())
    missing = METRICS.keys() - kinds.keys() - elsewhere
    assert not missing, f"in the table and not shown: {sorted(missing)}"
