"""SIGHUP under load, with a real Kafka: what is replaced loses nothing, what stays never closes."""

import asyncio
import json
import re
import signal
import time
from pathlib import Path

import grpc
import pytest

from bridge.testing import Made, Order
from tests.bridge_process import BridgeProcess, running_backend, running_bridge, scrape, total
from tests.kafka_client import Kafka
from tests.load_clients import EXPORT, Load, split_traces

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(180)]

TRACES = 16_000
SPANS = 80_000

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:0"}}
      http: {{endpoint: "127.0.0.1:0"}}
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    traces: {{topics: ["{topic}"]}}
processors:
  batch/ingest: {{timeout: 20ms, send_batch_max_size: 8192}}
  attributes: {{actions: [{{key: version, value: one, action: upsert}}]}}
  tail_sampling:
    decision_wait: 2s
    policies: [{{name: all, type: always_sample}}]
exporters:
  debug: {{}}
  kafka:
    brokers: ["{kafka}"]
    producer: {{linger: 5ms}}
    traces: {{topic: "{topic}", encoding: otlp_proto}}
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
service:
  telemetry:
    logs: {{encoding: json}}
    metrics: {{address: "127.0.0.1:0"}}
  pipelines:
    traces/ingest: {{receivers: [otlp], processors: [batch/ingest], exporters: [kafka]}}
    traces/process:
      receivers: [kafka]
      processors: [attributes, tail_sampling]
      exporters: [otlp]
"""


class Reloading:
    """A bridge whose config is changed while it runs."""

    def __init__(self, bridge: BridgeProcess, folder: Path) -> None:
        self._bridge = bridge
        self._file = folder / "bridge.yaml"
        self._log = folder / "bridge.log"
        self._ready = folder / "bridge.ready"

    async def change(self, old: str, new: str, event: str = "config_reloaded") -> str:
        """Change the file, send SIGHUP, and wait for *event*: its line."""
        text = self._file.read_text()
        assert old in text
        self._file.write_text(text.replace(old, new))
        seen = self._log.read_text().count(event)
        self._bridge.send_signal(signal.SIGHUP)
        async with asyncio.timeout(60):
            while self._log.read_text().count(event) == seen:
                assert self._bridge.process is not None
                assert self._bridge.process.returncode is None, self._bridge.output
                await asyncio.sleep(0.05)
        lines = [line for line in self._log.read_text().splitlines() if event in line]
        return lines[-1]


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["alone", "workers"])
async def test_reload_under_load_loses_nothing(
    kafka: Kafka, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """
    Both pipelines, the sampler with undecided traces among them, are replaced several times.

    Every acknowledged span arrives, the ports never close, and a file that is not valid changes
    nothing.
    """
    topic = await kafka.create_topic(partitions=6)
    load = Load()
    requests = split_traces(TRACES, Order.SDK, seed=5)
    async with running_backend() as backend:
        config = CONFIG.format(
            kafka=kafka.bootstrap, topic=topic, group=kafka.unique("g"), backend=backend.grpc
        )
        async with running_bridge(config, tmp_path, arguments=arguments) as bridge:
            reloading = Reloading(bridge, tmp_path)
            grpc_at, http_at = (
                bridge.endpoints[f"receivers/otlp/{name}"] for name in ("grpc", "http")
            )
            sending = asyncio.create_task(_send_slowly(load, requests, grpc_at, http_at))
            await load.wait_acknowledged(len(requests) // 10)
            await reloading.change("timeout: 20ms", "timeout: 10ms")
            await load.wait_acknowledged(len(requests) // 4)
            await reloading.change("value: one", "value: two")
            await reloading.change("linger: 5ms", "linger: 4ms")
            refused = await reloading.change("timeout: 10ms", "timout: 1", "config_reload_refused")
            await reloading.change("timout: 1", "timeout: 30ms")
            unfinished = not sending.done()
            await sending
            await backend.wait_spans(SPANS, timeout_s=60.0)
            load.ledger.delivered(await backend.span_ids())
            figures = await scrape(bridge.endpoints["metrics"])
            code = await bridge.stop()

    balance = load.ledger.balance()
    log = (tmp_path / "bridge.log").read_text()
    assert balance.lossless, f"{balance}\n{bridge.output}"
    assert balance.acknowledged == SPANS
    assert unfinished, "the load ended before the last reload: nothing was proven"
    assert "the former configuration goes on" in refused
    assert '"code": "BR-1301"' in log
    assert "config_reload_cut_off" not in log
    # Neither a client that was refused a connection nor a listener that came back.
    assert load.retries == 0, bridge.output
    assert len(re.findall('"event": "receiver_listening"', log)) == 2 * max(1, len(arguments))
    assert figures['bridge_config_reload_attempts{result="applied"}'] == 4
    assert total(figures, "bridge_config_reload_last_successful") == 1
    assert code == 0


async def _send_slowly(load: Load, requests: list[Made], grpc_at: str, http_at: str) -> None:
    """As `Load.send`, in portions, so that reloads happen while data flows."""
    portion = max(1, len(requests) // 40)
    for at in range(0, len(requests), portion):
        await load.send(requests[at : at + portion], grpc_at, http_at)
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["alone", "workers"])
async def test_replaced_receiver_refuses_no_connection(
    kafka: Kafka, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """
    Another limit and another signal replace the receiver; its ports stay open all the time.

    Connections are made without a pause, and requests sent; neither is refused or lost.
    """
    topic = await kafka.create_topic(partitions=3)
    load = Load()
    requests = split_traces(4_000, Order.SDK, seed=6)
    async with running_backend() as backend:
        config = CONFIG.format(
            kafka=kafka.bootstrap, topic=topic, group=kafka.unique("g"), backend=backend.grpc
        )
        async with running_bridge(config, tmp_path, arguments=arguments) as bridge:
            reloading = Reloading(bridge, tmp_path)
            grpc_at, http_at = (
                bridge.endpoints[f"receivers/otlp/{name}"] for name in ("grpc", "http")
            )
            knocking = [asyncio.create_task(_knock(at)) for at in (grpc_at, http_at)]
            sending = asyncio.create_task(_send_slowly(load, requests, grpc_at, http_at))
            await load.wait_acknowledged(len(requests) // 10)
            first = await reloading.change(
                "receivers:\n  otlp:\n", "receivers:\n  otlp:\n    max_in_flight_mib: 300\n"
            )
            second = await reloading.change(
                "  pipelines:\n",
                "  pipelines:\n    logs: {receivers: [otlp], exporters: [debug]}\n",
            )
            await sending
            await backend.wait_spans(20_000, timeout_s=60.0)
            load.ledger.delivered(await backend.span_ids())
            for task in knocking:
                task.cancel()
            knocked = await asyncio.gather(*knocking, return_exceptions=True)
            code = await bridge.stop()

    balance = load.ledger.balance()
    log = (tmp_path / "bridge.log").read_text()
    assert balance.lossless, f"{balance}\n{bridge.output}"
    assert balance.acknowledged == 20_000
    assert '"replaced": ["receivers/otlp"]' in first
    assert '"receivers/otlp"' in second
    # Each worker listened three times at each of two ports.
    assert len(re.findall('"event": "receiver_listening"', log)) == 6 * max(1, len(arguments))
    assert [str(each) for each in knocked] == ["", ""], "a connection was refused"
    assert code == 0


async def _knock(at: str) -> None:
    """Connect again and again, until cancelled."""
    host, _, port = at.rpartition(":")
    while True:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await asyncio.sleep(0.001)


async def test_reload_that_moves_a_port_into_a_used_one_brings_the_old_one_back(
    kafka: Kafka, tmp_path: Path
) -> None:
    """The receiver is asked back to its own port, and takes data as before."""
    topic = await kafka.create_topic(partitions=1)
    made = split_traces(200, Order.SDK)[0]
    config = CONFIG.format(
        kafka=kafka.bootstrap, topic=topic, group=kafka.unique("g"), backend="127.0.0.1:1"
    )
    async with running_bridge(config, tmp_path) as bridge:
        reloading = Reloading(bridge, tmp_path)
        metrics = bridge.endpoints["metrics"]
        told = await reloading.change(
            'grpc: {endpoint: "127.0.0.1:0"}',
            f'grpc: {{endpoint: "{metrics.replace("localhost", "127.0.0.1")}"}}',
            "config_reload_refused",
        )
        endpoints = json.loads((tmp_path / "bridge.ready").read_text())["endpoints"]
        at = endpoints["receivers/otlp/grpc"]
        async with grpc.aio.insecure_channel(at) as channel:
            await channel.unary_unary(EXPORT)(made.body, timeout=10.0)
        began_s = time.monotonic()
        code = await bridge.stop()

    assert "receivers.otlp.protocols.grpc" in told
    assert code == 0
    assert time.monotonic() - began_s < 30
