"""The bridge's own traces, with a real Kafka: what they show, and that none feed themselves."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.testing import trace_request
from bridge.testing.backend import Backend
from tests.bridge_process import running_bridge, scrape, total
from tests.kafka_client import Kafka
from tests.load_clients import EXPORT

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

REQUESTS = 20


def config_of(kafka: Kafka, topic: str, data: str, own: str, traces: str = "") -> str:
    """Both halves in one process, everything followed."""
    processors = (
        "processors: [{batch: {schedule_delay: 50, exporter: {otlp: "
        f'{{protocol: grpc, endpoint: "{own}", insecure: true}}}}}}}}]'
    )
    section = traces or f"{{sampler: {{always_on: {{}}}}, {processors}}}"
    return f"""
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}}}}}
  kafka:
    brokers: [{kafka.bootstrap}]
    group_id: {topic}
    traces: {{topics: [{topic}]}}
    autocommit: {{interval: 100ms}}
processors:
  batch: {{}}
exporters:
  kafka: {{brokers: [{kafka.bootstrap}], traces: {{topic: {topic}}}}}
  otlp: {{endpoint: "{data}", tls: {{insecure: true}}}}
service:
  telemetry:
    metrics: {{address: "127.0.0.1:0"}}
    traces: {section}
  pipelines:
    traces/in: {{receivers: [otlp], exporters: [kafka]}}
    traces/out: {{receivers: [kafka], processors: [batch], exporters: [otlp]}}
"""


async def send(endpoint: str, *bodies: bytes) -> None:
    """One request after the other, each acknowledged."""
    async with grpc.aio.insecure_channel(endpoint) as channel:
        export = channel.unary_unary(EXPORT)
        for body in bodies:
            await export(body, timeout=30)


def spans_of(backend: Backend) -> list[Any]:
    """All own spans that came."""
    return [
        span
        for received in backend.book.bodies
        for resource in ExportTraceServiceRequest.FromString(received.body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds, which is soon; whoever asks sees what is the case."""
    for _ in range(1200):
        if holds():
            return
        await asyncio.sleep(0.05)


async def wait_for(backend: Backend, name: str, count: int) -> list[Any]:
    """Until so many spans of that name came."""
    await until(lambda: sum(span.name == name for span in spans_of(backend)) >= count)
    return spans_of(backend)


async def test_own_traces_show_the_way_of_data(kafka: Kafka, tmp_path: Path) -> None:
    """Receive and produce are one trace, consume to deliver another; the data arrives as ever."""
    topic = await kafka.create_topic(partitions=2)
    async with Backend() as data, Backend() as own:
        config = config_of(kafka, topic, data.grpc_endpoint, own.grpc_endpoint)
        async with running_bridge(config, tmp_path) as bridge:
            bodies = [trace_request(seed=number).body for number in range(REQUESTS)]
            await send(bridge.endpoints["receivers/otlp/grpc"], *bodies)
            await wait_for(own, "produce kafka", REQUESTS)
            await wait_for(own, "deliver otlp", 1)
            await until(lambda: len(data.book.span_ids) >= REQUESTS)
            assert await bridge.stop() == 0
        spans = spans_of(own)

    names = Counter(span.name for span in spans)
    assert names["receive otlp"] == names["produce kafka"] == REQUESTS
    assert names["consume kafka"] == names["process batch"] > 0
    assert names.keys() == {
        *("receive otlp", "produce kafka"),
        *("consume kafka", "process batch", "deliver otlp"),
    }
    by_id = {span.span_id: span for span in spans}
    parents = {
        (span.name, by_id[span.parent_span_id].name if span.parent_span_id else "")
        for span in spans
    }
    assert {("receive otlp", ""), ("produce kafka", "receive otlp")} <= parents
    assert {("consume kafka", ""), ("process batch", "consume kafka")} <= parents
    assert len(data.book.span_ids) == data.book.span_ids.total() == REQUESTS


async def test_own_traces_that_come_back_make_no_new_ones(kafka: Kafka, tmp_path: Path) -> None:
    """Sent to the bridge as data, they are delivered like any other and not followed."""
    topic = await kafka.create_topic(partitions=1)
    async with Backend() as data, Backend() as own:
        config = config_of(kafka, topic, data.grpc_endpoint, own.grpc_endpoint)
        async with running_bridge(config, tmp_path) as bridge:
            endpoint = bridge.endpoints["receivers/otlp/grpc"]
            await send(endpoint, trace_request().body)
            await wait_for(own, "deliver otlp", 1)
            came_back = [received.body for received in own.book.bodies]
            own_spans = len(spans_of(own))
            for _ in range(10):
                await send(endpoint, *came_back)
            await until(lambda: data.book.span_ids.total() >= 1 + 10 * own_spans)
            # A last one that is followed: what the others might have made came before it.
            await send(endpoint, trace_request().body)
            spans = await wait_for(own, "deliver otlp", 2)

    assert len(spans) == 2 * own_spans


async def test_backend_of_own_traces_that_is_away_costs_nothing_but_them(
    kafka: Kafka, tmp_path: Path
) -> None:
    """Data flows, readiness stays, spans are dropped and counted; the stop is quick."""
    topic = await kafka.create_topic(partitions=1)
    traces = (
        "{sampler: {always_on: {}}, processors: [{batch: {schedule_delay: 20, "
        "export_timeout: 200, exporter: {otlp: {endpoint: 'http://127.0.0.1:9'}}}}]}"
    )
    async with Backend() as data:
        config = config_of(kafka, topic, data.grpc_endpoint, "", traces)
        async with running_bridge(config, tmp_path) as bridge:
            bodies = [trace_request(seed=number).body for number in range(REQUESTS)]
            await send(bridge.endpoints["receivers/otlp/grpc"], *bodies)
            await until(lambda: len(data.book.span_ids) >= REQUESTS)
            for _ in range(600):
                figures = await scrape(bridge.endpoints["metrics"])
                if total(figures, "bridge_own_spans_dropped") >= 2 * REQUESTS:
                    break
                await asyncio.sleep(0.05)
            assert await bridge.stop() == 0

    assert bridge.output.count("own_traces_dropped") == 1
    assert total(figures, "bridge_own_spans_dropped") >= 2 * REQUESTS
    assert total(figures, "bridge_own_spans_sent") == 0


async def test_own_traces_are_switched_on_by_a_reload(kafka: Kafka, tmp_path: Path) -> None:
    """And off again: the receiver keeps its port."""
    topic = await kafka.create_topic(partitions=1)
    async with Backend() as data, Backend() as own:
        with_them = config_of(kafka, topic, data.grpc_endpoint, own.grpc_endpoint)
        without = config_of(kafka, topic, data.grpc_endpoint, own.grpc_endpoint, "{}")
        async with running_bridge(without, tmp_path) as bridge:
            endpoint = bridge.endpoints["receivers/otlp/grpc"]
            await send(endpoint, trace_request().body)
            for number, config in enumerate((with_them, without), 1):
                (tmp_path / "bridge.yaml").write_text(config)
                bridge.send_signal(signal.SIGHUP)
                await until(lambda wanted=number: bridge.output.count("config_reloaded") >= wanted)
                await send(endpoint, trace_request(seed=number).body)
            await until(lambda: len(data.book.span_ids) >= 3)
            assert await bridge.stop() == 0

    names = Counter(span.name for span in spans_of(own))
    assert names["receive otlp"] == names["produce kafka"] == 1
    assert len(data.book.span_ids) == 3
