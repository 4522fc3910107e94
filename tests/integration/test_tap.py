"""``otlp-bridge tap`` on a running bridge, with traffic."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.app import dispatch
from tests.bridge_process import END_TIMEOUT_S, PROGRAM, running_backend, running_bridge
from tests.kafka_client import Kafka
from tests.kafka_server import free_port

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(170)]

Capture = pytest.CaptureFixture[str]
Tap = tuple[asyncio.subprocess.Process, Path]

TAPS = [
    ["receivers/otlp", "--limit", "3"],
    ["processors/batch@traces/out", "--limit", "3", "--where", 'service.name == "shop"'],
    ["exporters/otlp", "--limit", "3", "--where", 'name == "step 2"'],
    ["exporters/otlp", "--timeout", "15s", "--where", 'service.name == "nobody"'],
]

OF_WORKERS = ["receivers/otlp", "--limit", "120", "--where", 'name == "send"']


def config_of(kafka: Kafka, topic: str, group: str, backend: str, ports: list[int]) -> str:
    """Both halves, with a processor, in one process."""
    return f"""
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{ports[0]}"}}}}}}
  kafka:
    brokers: [{kafka.bootstrap}]
    group_id: {group}
    traces: {{topics: [{topic}]}}
    autocommit: {{interval: 100ms}}
processors:
  batch: {{}}
exporters:
  kafka: {{brokers: [{kafka.bootstrap}], traces: {{topic: {topic}}}}}
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
extensions:
  admin: {{endpoint: "127.0.0.1:{ports[1]}"}}
service:
  extensions: [admin]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces/in: {{receivers: [otlp], exporters: [kafka]}}
    traces/out: {{receivers: [kafka], processors: [batch], exporters: [otlp]}}
"""


async def test_traffic_is_seen_at_every_stage_and_all_of_it_arrives(
    kafka: Kafka, tmp_path: Path, capsys: Capture
) -> None:
    """
    Four taps look while 400 traces pass: each shows what it was asked for, every trace is answered,
    committed and delivered once, and afterwards the same is true without them.
    """
    topic, group = await kafka.create_topic(partitions=4), kafka.unique("group")
    ports = [free_port(), free_port()]
    async with running_backend() as backend:
        config = config_of(kafka, topic, group, backend.grpc, ports)
        async with running_bridge(config, tmp_path):
            endpoint = f"127.0.0.1:{ports[1]}"
            taps = [await start_tap(tmp_path, endpoint, *words) for words in TAPS]
            for tap in taps:
                await wait_watching(tap)
            told = await send(tmp_path, config, capsys, 400)
            shown = [await end_of(tap) for tap in taps]
            again = await send(tmp_path, config, capsys, 100)
            delivered = await backend.span_ids()

    assert (told["faults"], again["faults"]) == ([], [])
    # Four taps are all there may be: the fifth, of the sending verb, is refused and said to be.
    assert "end one first" in told["delivered_unknown"]
    hops = {hop["hop"]: hop["traces"] for hop in again["hops"]}
    assert hops.keys() == {"answered", "readable", "delivered", "committed"}
    assert 0 < hops["delivered"] <= 100
    assert len(delivered) == len(set(delivered)) == 500 * 3
    for code, events in shown[:3]:
        assert code == 0
        assert [one["event"] for one in events].count("batch") == 3
        assert events[-1]["reason"] == "limit"
    ingest, processor, exporter, nobody = (events for _, events in shown)
    assert {one["source"] for one in batches(ingest)} == {"otlp"}
    assert {one["topic"] for one in batches(processor)} == {topic}
    assert {one["outcome"] for one in exporter if one["event"] == "outcome"} == {"taken"}
    for one in batches(exporter):
        assert [span["name"] for span in spans(one)] == ["step 2"] * one["matched"]
    assert shown[3][0] == 75
    assert (nobody[-1]["shown"], nobody[-1]["seen"] > 0) == (0, True)


async def test_all_workers_are_seen_as_one(kafka: Kafka, tmp_path: Path, capsys: Capture) -> None:
    """With --workers 2 each batch is shown once, and the sending verb knows what was delivered."""
    topic, group = await kafka.create_topic(partitions=4), kafka.unique("group")
    ports = [free_port(), free_port()]
    async with running_backend() as backend:
        config = config_of(kafka, topic, group, backend.grpc, ports)
        async with running_bridge(config, tmp_path, arguments=("--workers", "2")) as bridge:
            endpoint = bridge.endpoints["extensions/admin"]
            tap = await start_tap(tmp_path, endpoint, *OF_WORKERS)
            await wait_watching(tap)
            for _ in range(6):  # Each run is one connection, which one worker has.
                told = await send(tmp_path, config, capsys, 20)
            code, events = await end_of(tap)
            delivered = await backend.span_ids()

    hops = {hop["hop"]: hop["traces"] for hop in told["hops"]}
    assert (told["faults"], told["delivered_unknown"], hops["delivered"]) == ([], "", 20)
    assert code == 0
    seen = [span["spanId"] for one in batches(events) for span in spans(one)]
    assert len(seen) == len(set(seen)) == events[-1]["shown"] == 6 * 20
    assert {one["worker"] for one in batches(events)} == {0, 1}
    assert [one["number"] for one in batches(events)] == list(range(1, len(seen) + 1))
    assert len(delivered) == len(set(delivered)) == 6 * 20 * 3


def batches(events: list[Any]) -> list[Any]:
    """The batches among the events."""
    return [one for one in events if one["event"] == "batch"]


def spans(event: dict[str, Any]) -> list[dict[str, Any]]:
    """All spans of an event's request."""
    return [
        span
        for resource in event["request"]["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


async def start_tap(folder: Path, endpoint: str, *words: str) -> Tap:
    """The verb in a process of its own, writing to a file."""
    out = folder / f"tap-{[*TAPS, OF_WORKERS].index(list(words))}.json"
    with out.open("wb") as file:
        line = ("tap", *words, "--endpoint", endpoint, "--output", "json")
        process = await asyncio.create_subprocess_exec(PROGRAM, *line, stdout=file)
    return process, out


async def wait_watching(tap: Tap) -> None:
    """Until the bridge said that it watches."""
    process, out = tap
    async with asyncio.timeout(60):
        while b'"watching"' not in out.read_bytes():
            assert process.returncode is None, out.read_text()
            await asyncio.sleep(0.05)


async def end_of(tap: Tap) -> tuple[int, list[Any]]:
    """Exit code and events, without the first that says that it watches."""
    process, out = tap
    async with asyncio.timeout(END_TIMEOUT_S):
        code = await process.wait()
    events = [json.loads(line) for line in out.read_text().splitlines()]
    return code, events[1:]


async def send(folder: Path, config: str, capsys: Capture, count: int) -> dict[str, Any]:
    """What the verb that sends and follows says."""
    file = folder / "send.yaml"
    file.write_text(config)
    line = ["send", "--config", str(file), "--count", str(count), "--verify", "--service", "shop"]
    capsys.readouterr()
    await asyncio.to_thread(dispatch, [*line, "--output", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found
