"""``otlp-bridge bundle``; what it gathers is in tests/integration/test_bundle.py."""

import json
from pathlib import Path

import pytest

from bridge.cli.app import dispatch
from tests.unit.service.test_bundling import read

Capture = pytest.CaptureFixture[str]


def test_configuration_that_does_not_load_is_bundled_all_the_same(
    tmp_path: Path, capsys: Capture
) -> None:
    """That is when somebody asks for help; no line of it is in the archive."""
    config, path = tmp_path / "bridge.yaml", tmp_path / "b.tar.gz"
    config.write_text("receivers: {otlp: {protocols: {grpc: {}}, password: canary-17}}\n")
    words = ["bundle", "-c", str(config), "--file", str(path), "--output", "json"]

    assert dispatch(words) == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(path)
    files = read(path)
    assert json.loads(files["validate.json"])["ok"] is False
    assert not any("canary-17" in text for text in files.values())


def test_file_that_is_there_is_told(tmp_path: Path, capsys: Capture) -> None:
    """With what to type."""
    config, path = tmp_path / "bridge.yaml", tmp_path / "b.tar.gz"
    config.write_text("{}")
    path.write_text("mine")

    assert dispatch(["bundle", "-c", str(config), "--file", str(path)]) == 69
    assert "name another with --file" in capsys.readouterr().err
    assert path.read_text() == "mine"


@pytest.mark.parametrize("timeout", ["5", "0s"])
def test_wrong_usage_is_told(timeout: str, tmp_path: Path, capsys: Capture) -> None:
    """Before anything is gathered."""
    assert dispatch(["bundle", "-c", str(tmp_path / "x"), "--timeout", timeout]) == 64
    assert "--timeout" in capsys.readouterr().err
