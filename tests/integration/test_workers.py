"""``run --workers 2`` with a real Kafka."""

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

from bridge.testing import Order
from tests.bridge_process import BridgeProcess, running_backend, running_bridge, scrape, total
from tests.kafka_client import Kafka
from tests.load_clients import Load, partitions_by_trace, split_traces

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(120)]

TRACES = 4_000
SPANS = 20_000
WORKERS = ("--workers", "2")

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:0"}}
      http: {{endpoint: "127.0.0.1:0"}}
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    # A member that was killed is missed after this time.
    session_timeout: 6s
    heartbeat_interval: 1s
    traces: {{topics: ["{topic}"]}}
exporters:
  kafka:
    brokers: ["{kafka}"]
    traces: {{topic: "{topic}", encoding: otlp_proto}}
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
extensions: {{health_check: {{endpoint: "127.0.0.1:0"}}}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces/ingest: {{receivers: [otlp], exporters: [kafka]}}
    traces/process: {{receivers: [kafka], exporters: [otlp]}}
"""

NO_KAFKA = """
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}}}}
exporters: {nop: {}}
service:
  telemetry: {metrics: {address: "127.0.0.1:0"}}
  pipelines: {traces: {receivers: [otlp], exporters: [nop]}}
"""


def _children(bridge: BridgeProcess) -> list[int]:
    assert bridge.process is not None
    pid = bridge.process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def _wait_restarted(bridge: BridgeProcess) -> tuple[float, float]:
    """Workers that run, and restarts, as the parent shows once it began one again, or in 30 s."""
    found = (0.0, 0.0)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            while found != (2.0, 1.0):
                await asyncio.sleep(0.1)
                figures = await scrape(bridge.endpoints["metrics"])
                running = total(figures, "bridge_workers_running")
                found = (running, total(figures, "bridge_worker_restarts"))
    return found


async def test_killed_worker_loses_nothing_acknowledged(kafka: Kafka, tmp_path: Path) -> None:
    """kill -9 of one of two workers under load: it is started again, and everything arrives."""
    topic = await kafka.create_topic(partitions=12)
    requests = split_traces(TRACES, Order.SDK, seed=11)
    load = Load()
    async with running_backend() as backend:
        config = CONFIG.format(
            kafka=kafka.bootstrap, topic=topic, group=kafka.unique("g"), backend=backend.grpc
        )
        async with running_bridge(config, tmp_path, arguments=WORKERS) as bridge:
            before = _children(bridge)
            grpc, http = (bridge.endpoints[f"receivers/otlp/{name}"] for name in ("grpc", "http"))
            sending = asyncio.create_task(load.send(requests, grpc, http))
            await load.wait_acknowledged(len(requests) // 4)
            os.kill(before[0], signal.SIGKILL)
            await sending
            await backend.wait_spans(SPANS, timeout_s=60.0)
            load.ledger.delivered(await backend.span_ids())
            running, restarts = await _wait_restarted(bridge)
            after = _children(bridge)
            code = await bridge.stop()

    balance = load.ledger.balance()
    places = partitions_by_trace(await kafka.read_all(topic))
    assert balance.lossless, f"{balance}\n{bridge.output}"
    assert balance.acknowledged == SPANS
    assert {len(found) for found in places.values()} == {1}
    assert (len(before), running, restarts, code) == (2, 2.0, 1.0, 0)
    assert before[1] in after
    assert before[0] not in after


async def _served(bridge: BridgeProcess, port: int, total_: int) -> list[int]:
    """Connections at *port* that each worker serves, least first, once they are so many."""
    async with asyncio.timeout(20):
        while True:
            counts = sorted(
                sum(
                    each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port
                    for each in psutil.Process(pid).net_connections()
                )
                for pid in _children(bridge)
            )
            if len(counts) == 2 and sum(counts) == total_:
                return counts
            await asyncio.sleep(0.05)


async def test_workers_serve_equal_numbers_of_connections(tmp_path: Path) -> None:
    """
    Also after some have left and a worker was killed; and workers take the bridge they belong to.

    They start in a folder in which something else is called `bridge`.
    """
    (tmp_path / "bridge").mkdir()
    (tmp_path / "bridge/__init__.py").write_text("raise SystemExit('not the bridge')")
    async with running_bridge(NO_KAFKA, tmp_path, arguments=WORKERS) as bridge:
        host, port = bridge.endpoints["receivers/otlp/grpc"].split(":")
        clients = [socket.create_connection((host, int(port))) for _ in range(16)]
        at_first = await _served(bridge, int(port), 16)
        for client in clients[:5]:
            client.close()
        del clients[:5]
        await _served(bridge, int(port), 11)
        clients += [socket.create_connection((host, int(port))) for _ in range(5)]
        after_some_left = await _served(bridge, int(port), 16)
        os.kill(_children(bridge)[0], signal.SIGKILL)
        await _wait_restarted(bridge)
        left = sum(await _served(bridge, int(port), 8))
        clients += [socket.create_connection((host, int(port))) for _ in range(8)]
        after_a_kill = await _served(bridge, int(port), 16)
    for client in clients:
        client.close()

    assert (at_first, after_some_left, left, after_a_kill) == ([8, 8], [8, 8], 8, [8, 8])


async def test_no_worker_outlives_its_parent(kafka: Kafka, tmp_path: Path) -> None:
    """kill -9 of the parent: its workers drain and end by themselves."""
    topic = await kafka.create_topic(partitions=2)
    config = CONFIG.format(
        kafka=kafka.bootstrap, topic=topic, group=kafka.unique("g"), backend="127.0.0.1:1"
    )
    async with running_bridge(config, tmp_path, arguments=WORKERS) as bridge:
        children = _children(bridge)
    async with asyncio.timeout(20):
        while any(map(_runs, children)):  # noqa: ASYNC110 - no children of ours
            await asyncio.sleep(0.05)
    assert len(children) == 2
    assert bridge.output.count("parent_gone") == 2
