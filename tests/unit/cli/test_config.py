"""``otlp-bridge config show``"""

import json

import pytest

from bridge.cli.app import dispatch

Capture = pytest.CaptureFixture[str]


def test_config_show_has_values_and_origins(good: str, capsys: Capture) -> None:
    """Where each value in force comes from."""

    assert dispatch(["config", "show", good, "--origin"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"timeout: 1s # {good}:3" in lines
    assert "send_batch_size: 8192 # default" in lines


def test_config_show_without_defaults(good: str, capsys: Capture) -> None:
    """Only what somebody wrote."""
    dispatch(["config", "show", good, "--no-defaults"])

    assert "send_batch_size" not in capsys.readouterr().out


def test_config_show_hides_secrets(good: str, capsys: Capture) -> None:
    """Unless they are asked for."""
    secret = ["--set", "exporters.otlp={endpoint: 'a:1', headers: {authorization: abc123}}"]
    dispatch(["config", "show", good, *secret, "--redacted"])
    hidden = capsys.readouterr().out
    dispatch(["config", "show", good, *secret, "--no-redacted"])
    shown = capsys.readouterr().out

    assert "abc123" not in hidden
    assert 'authorization: "********"' in hidden
    assert "authorization: abc123" in shown


def test_config_show_as_json(good: str, capsys: Capture) -> None:
    """A tree of values, or a list with origins."""
    dispatch(["config", "show", good, "--output", "json"])
    tree = json.loads(capsys.readouterr().out)
    dispatch(["config", "show", good, "--output", "json", "--origin"])
    entries = json.loads(capsys.readouterr().out)

    assert tree["processors"]["batch"]["timeout"] == "1s"
    assert {
        "path": ["processors", "batch", "timeout"],
        "value": "1s",
        "origin": f"{good}:3",
    } in entries


def test_config_show_broken_config_exits_with_78(broken: str, capsys: Capture) -> None:
    """Problems instead of values."""

    assert dispatch(["config", "show", broken]) == 78
    assert "BR-1301" in capsys.readouterr().err
