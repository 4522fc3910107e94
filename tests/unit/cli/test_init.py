"""``otlp-bridge init``"""

import json
from pathlib import Path

import pytest

from bridge.cli.app import dispatch

MODES = ("sidecar", "gateway", "processing")


@pytest.mark.parametrize("mode", MODES)
def test_sample_is_accepted_by_validate(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is written, without an error and without a warning."""
    monkeypatch.setenv("OTLP_TOKEN", "token")
    path = tmp_path / "bridge.yaml"

    assert dispatch(["init", "--mode", mode, "--file", str(path)]) == 0
    assert "otlp-bridge validate" in capsys.readouterr().out
    assert dispatch(["validate", "--config", str(path)]) == 0
    told = capsys.readouterr()
    assert "0 warnings" in told.out + told.err


def test_file_that_exists_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless it is forced."""
    path = tmp_path / "bridge.yaml"
    path.write_text("mine")

    assert dispatch(["init", "--file", str(path)]) == 64
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert dispatch(["init", "--file", str(path), "--force"]) == 0
    assert path.read_text() != "mine"


def test_sample_goes_to_standard_output_without_a_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As text, or within JSON."""
    assert dispatch(["init", "--mode", "processing"]) == 0
    text = capsys.readouterr().out
    assert dispatch(["init", "--mode", "processing", "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)

    assert document == {"mode": "processing", "config": text}
    assert "tail_sampling" in text
