"""The hard cases of tail sampling on Kafka, by the number of their rule (design, section 9)."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.testing.backend import Backend
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


def span(trace: int, number: int, *, failed: bool = False, drop: bool = False) -> bytes:
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
