"""``otlp-bridge doctor`` on a cluster of three, whole and with brokers missing."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.app import dispatch
from bridge.kafka import inspect_cluster
from tests.bridge_process import running_backend
from tests.kafka_client import Kafka
from tests.kafka_server import KafkaServer, free_port

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(170)]

TOPIC = "otlp_spans"


async def examine(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Exit code, and the findings that are not ok by their codes."""
    capsys.readouterr()
    words = ["doctor", "--config", str(config), "--output", "json", "--timeout", "10s"]
    code = await asyncio.to_thread(dispatch, words)
    found = json.loads(capsys.readouterr().out)["findings"]
    return code, {one["code"]: one for one in found if one["severity"] != "ok"}


async def test_whole_cluster_has_no_finding_and_missing_brokers_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0; a broker that is away is an error by its address, and told for its replicas."""
    with KafkaServer(nodes=3, heap_mib=256) as server:
        kafka = Kafka(server)
        settings = {"message.timestamp.type": "LogAppendTime", "min.insync.replicas": "2"}
        await kafka.create_topic(TOPIC, partitions=2, configs=settings, replicas=3)
        brokers = json.dumps(server.bootstrap.split(","))
        config = tmp_path / "bridge.yaml"
        async with running_backend() as backend:
            config.write_text(
                f"""
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{free_port()}", max_connections: 100}}}}}}
  kafka: {{brokers: {brokers}, group_id: processing, traces: {{topics: [{TOPIC}]}}}}
exporters:
  kafka: {{brokers: {brokers}, traces: {{topic: {TOPIC}}}}}
  otlp: {{endpoint: "{backend.grpc}", tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces/in: {{receivers: [otlp], exporters: [kafka]}}
    traces/out: {{receivers: [kafka], exporters: [otlp]}}
"""
            )
            whole, found = await examine(config, capsys)
            server.kill(3)
            await wait_in_sync(kafka, 2)
            one_away, told = await examine(config, capsys)

    assert (whole, set(found)) == (0, {"BR-3403", "BR-3504"})
    # Of three bootstrap brokers one does not answer; replicas on it are behind.
    assert set(told) - set(found) == {"BR-3102", "BR-3311"}
    assert one_away == 69
    assert "partitions 0, 1" in told["BR-3311"]["cause"]


async def wait_in_sync(kafka: Kafka, replicas: int) -> None:
    """Until the cluster has noticed that a broker is away."""
    connection = {"bootstrap_servers": kafka.bootstrap}

    async with asyncio.timeout(60):
        while True:
            facts = await inspect_cluster(connection, topics=[TOPIC], timeout_s=10.0)
            if all(one.in_sync == replicas for one in facts.topics[TOPIC].partitions):
                return
            await asyncio.sleep(0.2)
