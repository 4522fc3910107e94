"""``otlp-bridge graph``"""

import json

import pytest

from bridge.cli.app import dispatch

Capture = pytest.CaptureFixture[str]


def test_graph_formats(good: str, capsys: Capture) -> None:
    """Mermaid unless asked otherwise, and JSON."""

    assert dispatch(["graph", good]) == 0
    assert capsys.readouterr().out.startswith("flowchart LR\n")
    assert dispatch(["graph", good, "--format", "dot"]) == 0
    assert capsys.readouterr().out.startswith("digraph pipelines {\n")
    assert dispatch(["graph", good, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["receivers"] == [["r0", "otlp"]]


def test_graph_of_a_broken_config_exits_with_78(broken: str, capsys: Capture) -> None:
    """There is nothing to draw."""

    assert dispatch(["graph", broken]) == 78
    assert "BR-1301" in capsys.readouterr().err
