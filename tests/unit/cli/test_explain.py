"""``otlp-bridge explain``"""

import json

import pytest

from bridge.cli.app import dispatch

Capture = pytest.CaptureFixture[str]


def test_explain_key_has_type_default_and_meaning(capsys: Capture) -> None:
    """From the component's own model."""

    assert dispatch(["explain", "processors.batch.timeout"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "processors.batch.timeout",
        "  type: duration, such as 10s or 250ms",
        "  default: 200ms",
    ]
    assert "waits for company" in lines[4]


def test_explain_section_lists_keys(capsys: Capture) -> None:
    """With what must be given."""
    dispatch(["explain", "exporters.otlp"])
    printed = capsys.readouterr().out

    assert "keys:" in printed
    assert "endpoint" in printed
    assert "must be given" in printed


def test_explain_required_key_says_so(capsys: Capture) -> None:
    """It has no default."""
    dispatch(["explain", "exporters.otlp.endpoint"])

    assert "  must be given" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("code", ["BR-1301", "br-1301"])
def test_explain_code_has_meaning_and_fix(code: str, capsys: Capture) -> None:
    """In any case."""

    assert dispatch(["explain", code]) == 0
    assert capsys.readouterr().out.startswith("BR-1301\n  A key that does not exist there.")


def test_explain_as_json(capsys: Capture) -> None:
    """Keys and codes."""
    dispatch(["explain", "processors.batch.timeout", "--output", "json"])
    key = json.loads(capsys.readouterr().out)
    dispatch(["explain", "BR-1301", "--output", "json"])
    code = json.loads(capsys.readouterr().out)

    assert (key["default"], key["required"]) == ("200ms", False)
    assert set(code) == {"code", "meaning", "fix"}


@pytest.mark.parametrize(
    ("key", "part"), [("processors.batch.timeot", "timeout"), ("BR-1399", "BR-1")]
)
def test_explain_unknown_name_exits_with_64(key: str, part: str, capsys: Capture) -> None:
    """And names what is near."""

    assert dispatch(["explain", key]) == 64
    assert part in capsys.readouterr().err
