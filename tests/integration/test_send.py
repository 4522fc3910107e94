"""``otlp-bridge send`` through a running bridge and a real broker."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.app import dispatch
from bridge.kafka import partition_of
from bridge.service.record_traces import traces_of
from tests.bridge_process import running_backend, running_bridge
from tests.kafka_client import Kafka
from tests.kafka_server import free_port

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(170)]

PARTITIONS = 4


@dataclass
class Shell:
    """A topic, and configurations of the halves that are joined by it."""

    kafka: Kafka
    folder: Path
    topic: str
    group: str
    grpc: int
    http: int
    capsys: pytest.CaptureFixture[str]

    @property
    def ingest(self) -> str:
        """The half that writes."""
        return f"""
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{self.grpc}"}}
      http: {{endpoint: "0.0.0.0:{self.http}"}}
exporters:
  kafka: {{brokers: [{self.kafka.bootstrap}], traces: {{topic: {self.topic}}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces/in: {{receivers: [otlp], exporters: [kafka]}}
"""

    def both(self, backend: str, processors: str = "") -> str:
        """The two halves; *processors* is a section of them."""
        return f"""
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{self.grpc}"}}
      http: {{endpoint: "0.0.0.0:{self.http}"}}
  kafka:
    brokers: [{self.kafka.bootstrap}]
    group_id: {self.group}
    traces: {{topics: [{self.topic}]}}
    autocommit: {{interval: 100ms}}
processors: {{{processors}}}
exporters:
  kafka: {{brokers: [{self.kafka.bootstrap}], traces: {{topic: {self.topic}}}}}
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces/in: {{receivers: [otlp], exporters: [kafka]}}
    traces/out:
      receivers: [kafka]
      processors: [{processors.partition(":")[0]}]
      exporters: [otlp]
"""

    async def send(self, config: str, *words: str) -> tuple[int, dict[str, Any], str]:
        """Exit code, JSON and standard error."""
        file = self.folder / "send.yaml"
        file.write_text(config)
        line = ["send", "--config", str(file), "--output", "json", *words]
        self.capsys.readouterr()
        code = await asyncio.to_thread(dispatch, line)
        told = self.capsys.readouterr()
        return code, json.loads(told.out), told.err


@pytest.fixture
async def shell(kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Nothing runs yet."""
    topic = await kafka.create_topic(partitions=PARTITIONS)
    group = kafka.unique("group")
    return Shell(kafka, tmp_path, topic, group, free_port(), free_port(), capsys)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_traces_are_followed_from_answer_to_commit(shell: Shell, protocol: str) -> None:
    """Each with the partition and the offset at which it stands, which are those of its hash."""
    where = [] if protocol == "grpc" else ["--endpoint", f"http://127.0.0.1:{shell.http}"]
    async with running_backend() as backend:
        config = shell.both(backend.grpc)
        async with running_bridge(config, shell.folder):
            code, told, errors = await shell.send(config, "--count", "30", "--verify", *where)
            delivered = (await backend.summary())["spans"]
    records = {(one.partition, one.offset): one for one in await shell.kafka.read_all(shell.topic)}

    assert (code, told["ok"], told["faults"], errors) == (0, True, [], "")
    assert [one["traces"] for one in told["hops"]] == [30, 30, 30]
    assert delivered == 90
    for trace in told["traces"]:
        (place,) = trace["places"]
        partition, offset = place["partition"], place["offset"]
        assert partition == partition_of(trace["trace_id"].encode(), PARTITIONS, "sarama_compat")
        assert bytes.fromhex(trace["trace_id"]) in traces_of(records[partition, offset])
        assert 0 < trace["answered_s"] < trace["committed_s"]
    assert told["groups"] == [shell.group]


async def test_traces_that_are_held_are_waited_for(shell: Shell) -> None:
    """decision_wait and its slack come on top of --timeout; failed roots are sampled."""
    policy = "policies: [{name: e, type: status_code, status_code: {status_codes: [ERROR]}}]"
    sampling = f"tail_sampling: {{decision_wait: 3s, clock_slack: 1s, {policy}}}"
    async with running_backend() as backend:
        config = shell.both(backend.grpc, sampling)
        async with running_bridge(config, shell.folder):
            words = ("--count", "5", "--verify", "--failed", "--timeout", "10s")
            code, told, _ = await shell.send(config, *words)
            delivered = (await backend.summary())["spans"]

    assert (code, told["faults"]) == (0, [])
    assert min(trace["committed_s"] for trace in told["traces"]) > 2.5
    assert delivered == 15


async def test_group_that_does_not_run_is_told(shell: Shell) -> None:
    """The ingest half alone: readable, and not committed in time."""
    async with running_bridge(shell.ingest, shell.folder):
        config = shell.both("127.0.0.1:1")
        code, told, _ = await shell.send(config, "--count", "3", "--verify", "--timeout", "3s")
        alone, without, _ = await shell.send(shell.ingest, "--count", "3", "--verify")

    assert code == 75
    assert told["faults"] == ["3 readable and not committed by the group in time"]
    assert [one["traces"] for one in told["hops"]] == [3, 3, 0]
    assert (alone, [one["hop"] for one in without["hops"]]) == (0, ["answered", "readable"])


async def test_bridge_that_does_not_run_is_told(shell: Shell) -> None:
    """Why, once for all traces."""
    code, told, _ = await shell.send(shell.ingest, "--count", "3")

    assert code == 75
    assert len(told["faults"]) == 1
    assert told["faults"][0].startswith(f"3 refused: cannot connect to 127.0.0.1:{shell.grpc}")


async def test_missing_topic_is_told_before_anything_is_sent(shell: Shell) -> None:
    """With the command that creates it; following it does not."""
    config = shell.ingest.replace(shell.topic, "never-made")
    code, told, _ = await shell.send(config, "--count", "3", "--verify")
    async with shell.kafka.admin() as admin:
        topics = await admin.list_topics()

    assert code == 77
    assert "never-made" in told["error"]
    assert "kafka-topics" in told["advice"] + told["error"]
    assert "never-made" not in topics
