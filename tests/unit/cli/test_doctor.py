"""``otlp-bridge doctor``; what it finds is in tests/integration/test_doctor.py."""

import json
from pathlib import Path

import pytest

from bridge.cli.app import dispatch

CONFIG = """
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}}}
exporters:
  kafka:
    brokers: ["127.0.0.1:1"]
    auth: {sasl: {mechanism: PLAIN, username: u, password: canary-5}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [kafka]}
"""

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration whose broker is not there."""
    file = tmp_path / "bridge.yaml"
    file.write_text(CONFIG)
    return str(file)


def test_finding_is_shown_with_its_mend(config: str, capsys: Capture) -> None:
    """For people: the code, what was looked at, the cause, what to type; no secret."""
    assert dispatch(["doctor", "-c", config]) == 69
    told = capsys.readouterr()

    assert "error    BR-3102 broker 127.0.0.1:1: it cannot be reached" in told.out
    assert "         mend: start it, correct brokers, or open the firewall: nc -vz" in told.out
    assert "1 to mend" in told.out
    assert "canary" not in told.out + told.err


def test_output_json_is_one_document(config: str, capsys: Capture) -> None:
    """For machines: the verdict and every finding with all its fields."""
    assert dispatch(["doctor", "-c", config, "--output", "json"]) == 69
    document = json.loads(capsys.readouterr().out)
    (found,) = [one for one in document["findings"] if one["severity"] == "error"]

    assert (document["ok"], document["worst"]) == (False, "error")
    assert set(found) == {"code", "severity", "subject", "cause", "mend", "permission"}


@pytest.mark.parametrize("timeout", ["0s", "soon"])
def test_wrong_timeout_is_told(timeout: str, config: str, capsys: Capture) -> None:
    """Before anything is asked."""
    assert dispatch(["doctor", "-c", config, "--timeout", timeout]) == 64
    assert "--timeout" in capsys.readouterr().err


def test_codes_of_the_doctor_are_explained(capsys: Capture) -> None:
    """By the verb that explains those of validate."""
    assert dispatch(["explain", "BR-3301"]) == 0
    assert "A topic does not exist." in capsys.readouterr().out
    assert dispatch(["explain", "BR-3999"]) == 64
