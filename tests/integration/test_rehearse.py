"""Policies tried on what the real Kafka holds, through the command line."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from bridge.cli.app import dispatch
from bridge.testing import trace_request
from tests.kafka_client import Kafka

pytestmark = pytest.mark.kafka

TRACES = 60
SPANS = 4
FAILED_EVERY = 3
GROUP = "rehearsed-group"

Rehearse = Callable[..., tuple[int, str, str]]


async def write_packed(producer: AIOKafkaProducer, topic: str) -> None:
    """Records of several traces, each trace in two records of one partition."""
    began_ms = int(time.time() * 1000) - 600_000
    for number in range(0, TRACES, 4):
        halves: list[list[bytes]] = [[], []]
        for trace in range(number, number + 4):
            for half in (0, 1):
                # The status is on the last span: one half alone would be judged otherwise.
                made = trace_request(
                    1, SPANS, seed=trace, failed_share=(trace % FAILED_EVERY == 0) * half
                )
                halves[half].append(made.body)
        for half, bodies in enumerate(halves):
            at_ms = began_ms + number * 100 + half * 500
            await producer.send_and_wait(
                topic, b"".join(bodies), partition=number // 4 % 3, timestamp_ms=at_ms
            )


async def write_keyed(producer: AIOKafkaProducer, topic: str) -> None:
    """One record a trace."""
    began_ms = int(time.time() * 1000) - 600_000
    for trace in range(TRACES):
        made = trace_request(1, SPANS, seed=trace, failed_share=trace % FAILED_EVERY == 0)
        await producer.send_and_wait(
            topic, made.body, partition=trace % 3, timestamp_ms=began_ms + trace * 100
        )


def config(kafka: Kafka, topic: str, policies: str) -> str:
    return f"""
receivers:
  kafka: {{brokers: [{kafka.bootstrap}], group_id: {GROUP}, traces: {{topics: [{topic}]}}}}
processors:
  filter/health: {{trace_conditions: ['span.name == "/healthz"']}}
  tail_sampling:
    decision_wait: 2s
    policies: {policies}
exporters:
  nop: {{}}
service:
  pipelines:
    traces: {{receivers: [kafka], processors: [filter/health, tail_sampling], exporters: [nop]}}
"""


ERRORS = "[{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]"
ALL = "[{name: all, type: always_sample}]"


@pytest.fixture
def rehearse(kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Rehearse:
    """Runs the verb and gives exit code, output and errors."""

    def run(topic: str, *words: str, current: str = "") -> tuple[int, str, str]:
        candidate, in_force = tmp_path / "candidate.yaml", tmp_path / "current.yaml"
        candidate.write_text(config(kafka, topic, ERRORS))
        arguments = ["rehearse", "--config", str(candidate), *words]
        if current:
            in_force.write_text(config(kafka, topic, current))
            arguments += ["--current", str(in_force)]
        code = dispatch(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.mark.parametrize("write", [write_packed, write_keyed])
async def test_rehearse_tells_what_would_change(
    kafka: Kafka, rehearse: Rehearse, write: Any
) -> None:
    """Traces are judged on all their spans, nothing is committed, and nobody joins a group."""
    topic = await kafka.create_topic(partitions=3)
    await filled(kafka, topic, write)
    code, out, _ = await asyncio.to_thread(rehearse, topic, "--output", "json", current=ALL)
    found: dict[str, Any] = json.loads(out)

    failed = -(-TRACES // FAILED_EVERY)
    assert code == 0
    assert failed == found["outcomes"]["kept_by_both"]["traces"]
    assert TRACES - failed == found["outcomes"]["no_longer_kept"]["traces"]
    assert (
        found["spans"]
        == found["candidate"]["kept"]["spans"] + (found["candidate"]["not_kept"]["spans"])
    )
    assert [("errors", True, failed)] == [
        (one["policy"], one["keeps"], one["traces"]) for one in found["candidate"]["policies"]
    ]
    assert found["uncompared_traces"] == 0
    async with kafka.admin() as admin:
        assert GROUP not in {name for name, *_ in await admin.list_consumer_groups()}
    assert any("without filter/health" in note for note in found["notes"])


async def test_rehearse_alone_reads_no_further_back_than_asked(
    kafka: Kafka, rehearse: Rehearse
) -> None:
    """Without --current only the candidate is told of; records before --since are left out."""
    topic = await kafka.create_topic(partitions=3)
    await filled(kafka, topic, write_keyed)
    code, out, _ = await asyncio.to_thread(rehearse, topic, "--since", "5m")
    assert (0, f"{topic}: no record of the last 5m") == (code, out.splitlines()[0])

    code, out, _ = await asyncio.to_thread(rehearse, topic)
    assert code == 0
    assert f"{TRACES} records, {TRACES * SPANS} spans" in out
    assert "errors" in out
    assert "now" not in out


async def test_rehearse_names_a_topic_that_is_not_there(rehearse: Rehearse) -> None:
    """And exits as for any configuration that cannot be used."""
    code, out, err = await asyncio.to_thread(rehearse, "absent")

    assert code == 78
    assert "there is no topic absent" in err
    assert out == ""


async def filled(kafka: Kafka, topic: str, write: Any) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    try:
        await write(producer, topic)
    finally:
        await producer.stop()
