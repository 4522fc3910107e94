"""``otlp-bridge bundle`` beside a running bridge: all is there, and no secret is."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.app import dispatch
from tests.bridge_process import running_bridge
from tests.kafka_client import Kafka
from tests.kafka_server import free_port
from tests.unit.service.test_bundling import read

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(170)]

CANARIES = (
    "canary-header",
    "canary-record",
    "canary-basic",
    "canary-environment",
    "canary-env-ref",
)


async def test_bundle_has_everything_but_secrets(
    kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """Configuration, findings, figures, health, status with events; secrets are nowhere."""
    monkeypatch.setenv("SOME_TOKEN", "canary-environment")
    monkeypatch.setenv("TENANT", "canary-env-ref")
    topic, ports = await kafka.create_topic(partitions=1), [free_port() for _ in range(4)]
    config = tmp_path / "bridge.yaml"
    config.write_text(
        f"""
receivers:
  otlp:
    protocols: {{grpc: {{endpoint: "127.0.0.1:{ports[0]}", auth: {{authenticator: basicauth}}}}}}
exporters:
  kafka:
    brokers: [{kafka.bootstrap}]
    traces: {{topic: {topic}}}
    record_headers: {{a: canary-record, b: "x-${{env:TENANT}}"}}
  otlp:
    endpoint: "127.0.0.1:1"
    tls: {{insecure: true}}
    headers: {{authorization: "Bearer canary-header"}}
extensions:
  health_check: {{endpoint: "127.0.0.1:{ports[1]}"}}
  admin: {{endpoint: "127.0.0.1:{ports[2]}"}}
  basicauth: {{htpasswd: {{inline: "user:canary-basic"}}}}
service:
  extensions: [health_check, admin, basicauth]
  telemetry: {{metrics: {{address: "127.0.0.1:{ports[3]}"}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [kafka, otlp]}}
"""
    )
    path = tmp_path / "bundle.tar.gz"
    words = ["bundle", "--config", str(config), "--file", str(path), "--output", "json"]
    async with running_bridge(config.read_text(), tmp_path):
        code = await asyncio.to_thread(dispatch, words)
    told, files = json.loads(capsys.readouterr().out), read(path)

    assert (code, told["missing"]) == (0, {})
    assert set(files) == {
        "manifest.json",
        "config.yaml",
        "validate.json",
        "versions.json",
        "machine.json",
        "environment.txt",
        "doctor.json",
        "metrics.txt",
        "health.json",
        "status.json",
    }
    assert f"topic: {topic}" in files["config.yaml"]
    assert "BR-3601" in {one["code"] for one in json.loads(files["doctor.json"])}
    assert "otelcol_process_uptime" in files["metrics.txt"]
    assert json.loads(files["status.json"])["events"]
    assert "SOME_TOKEN\n" in files["environment.txt"]
    for canary in CANARIES:
        assert [name for name, text in files.items() if canary in text] == []


async def test_bridge_that_does_not_run_is_a_part_that_is_missing(
    kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest is written, and the manifest says why."""
    config, path = tmp_path / "bridge.yaml", tmp_path / "bundle.tar.gz"
    config.write_text(
        f"""
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{free_port()}"}}}}}}
exporters:
  kafka: {{brokers: [{kafka.bootstrap}]}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:{free_port()}"}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [kafka]}}
"""
    )
    words = ["bundle", "--config", str(config), "--file", str(path), "--no-doctor"]
    code = await asyncio.to_thread(dispatch, words)

    assert code == 1
    assert "without metrics.txt: ClientConnectorError" in capsys.readouterr().out
    manifest = json.loads(read(path)["manifest.json"])
    assert manifest["files"]["metrics.txt"].startswith("ClientConnectorError")
    assert "doctor.json" not in manifest["files"]
