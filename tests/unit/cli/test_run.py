"""``otlp-bridge run``, up to the point where the service takes over."""

import json
from pathlib import Path
from typing import Any

import pytest

import bridge.service
from bridge.cli.app import dispatch
from bridge.config import LoadedConfig

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> list[tuple[LoadedConfig, dict[str, Any]]]:
    """Stands in for the service and keeps what it was asked to run."""
    calls: list[tuple[LoadedConfig, dict[str, Any]]] = []

    def run(config: LoadedConfig, **options: Any) -> int:
        calls.append((config, options))
        return 3

    monkeypatch.setattr(bridge.service, "run", run)
    return calls


def test_run_hands_over_config_and_options(
    good: str, service: list[Any], tmp_path: Path, capsys: Capture
) -> None:
    """The service's exit code is the process's."""
    ready = tmp_path / "ready.json"
    code = dispatch(["run", good, "--ready-file", str(ready), "--shutdown-timeout", "1m"])

    assert code == 3
    ((config, options),) = service
    assert [str(name) for name in config.pipelines] == ["traces/x"]
    assert options.pop("load")().pipelines == config.pipelines
    assert options == {"workers": 1, "ready_file": ready, "shutdown_timeout_s": 60.0}
    assert capsys.readouterr() == ("", "")


def test_run_broken_config_never_reaches_the_service(
    broken: str, service: list[Any], capsys: Capture
) -> None:
    """All problems are printed, and nothing is started."""

    assert dispatch(["run", "--config", broken]) == 78
    assert service == []
    assert "BR-1301" in capsys.readouterr().err


def test_run_bad_duration_is_wrong_usage(good: str, service: list[Any], capsys: Capture) -> None:
    """A time has a unit."""

    assert dispatch(["run", good, "--shutdown-timeout", "25"]) == 64
    assert service == []
    assert "--shutdown-timeout" in capsys.readouterr().err


def test_run_prints_warnings_as_the_logs_are(
    warned: str, service: list[Any], capsys: Capture
) -> None:
    """Text beside text, one JSON object a line beside JSON."""
    dispatch(["run", warned])
    text = capsys.readouterr().err
    dispatch(["run", warned, "--set", "service.telemetry.logs.encoding=json"])
    lines = capsys.readouterr().err.splitlines()

    assert "warning BR-2001" in text
    assert [json.loads(line)["event"] for line in lines] == ["config_warning"]
    assert len(service) == 2
