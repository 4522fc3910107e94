"""Tail sampling wherever it stands in a pipeline, from YAML, on a real Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from bridge.config import load
from bridge.core import Deadline, SystemClock
from bridge.service import Registry, Service
from bridge.testing import trace_request
from bridge.testing.backend import Backend
from tests.kafka_client import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

WAIT_S = 30.0
RECORDS = 60

CONFIG = """
receivers:
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    autocommit: {{interval: 100ms}}
    # A record is a batch, so that a window which is not given back stands still soon.
    max_batch_kib: 1
    traces: {{topics: ["{topic}"]}}
processors:
  filter:
    trace_conditions: ['resource.attributes["service.name"] == "noise"']
  batch/cap: {{send_batch_size: 5, send_batch_max_size: 5}}
  groupbytrace: {{wait_duration: 300ms}}
  tail_sampling:
    decision_wait: 2s
    policies:
      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}
exporters:
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
  nop: {{}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [kafka], processors: [{processors}], exporters: [otlp]}}
    {other}
"""

BESIDE = "traces/beside: {receivers: [kafka], processors: [filter], exporters: [nop]}"
SHAPES = {
    "alone": ("tail_sampling", ""),
    "behind filter": ("filter, tail_sampling", ""),
    "behind batch": ("batch/cap, tail_sampling", ""),
    "behind batch and filter": ("batch/cap, filter, tail_sampling", ""),
    "behind fan-out": ("tail_sampling", BESIDE),
    "behind fan-out and filter": ("filter, tail_sampling, batch/cap", BESIDE),
    "behind groupbytrace": ("groupbytrace, tail_sampling", ""),
}


def records(count: int) -> list[tuple[bytes, int, list[bytes]]]:
    """Body, timestamp and the span ids that must come out; some spans are noise for the filter."""
    began_ms = int(time.time() * 1000) - 120_000
    made = []
    for number in range(count):
        failed = number % 3 == 0
        trace = trace_request(1, 4, seed=number, failed_share=failed)
        noise = trace_request(1, 2, seed=10_000 + number, service="noise")
        ids = list(trace.span_ids) if failed else []
        made.append((noise.body + trace.body, began_ms + number * 100, ids))
    return made


@asynccontextmanager
async def serving(text: str) -> AsyncIterator[Service]:
    service = Service(load([f"yaml:{text}"], [], Registry(), {}))
    await service.start()
    try:
        yield service
    finally:
        await service.stop(Deadline.after(10.0, SystemClock()))


async def produce(kafka: Kafka, topic: str, made: list[tuple[bytes, int, list[bytes]]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        for body, at_ms, _ in made:
            await producer.send(topic, body, partition=0, timestamp_ms=at_ms)
        await producer.flush()
    finally:
        await producer.stop()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - A broker tells nobody.
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("shape", list(SHAPES))
async def test_sampler_keeps_offsets_and_ends_idle_partitions(kafka: Kafka, shape: str) -> None:
    """
    Wherever the sampler stands: nothing is committed that waits for the backend, windows are given
    back, and the last traces of a partition that brings no more are decided.
    """
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    made = records(RECORDS)
    wanted = {one for _, _, ids in made for one in ids}
    await produce(kafka, topic, made)
    processors, other = SHAPES[shape]
    async with Backend() as backend:
        backend.hold()
        text = CONFIG.format(
            kafka=kafka.bootstrap, group=group, topic=topic, backend=backend.grpc_endpoint,
            processors=processors, other=other,
        )  # fmt: skip
        async with serving(text):
            await asyncio.sleep(3.0)  # Time for commits, which would be wrong.
            assert (await kafka.committed(group, topic)).get(0, 0) == 0
            backend.release()
            await until(lambda: wanted <= backend.book.span_ids.keys())
            async with asyncio.timeout(WAIT_S):
                while (await kafka.committed(group, topic)).get(0) != RECORDS:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)

        assert wanted == backend.book.span_ids.keys()
