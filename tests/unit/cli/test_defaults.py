"""``otlp-bridge defaults``"""

import json

import pytest

from bridge.cli.app import dispatch

Capture = pytest.CaptureFixture[str]


def test_defaults_print_both_values_and_the_reason(capsys: Capture) -> None:
    """The list that a user of the Collector must know."""

    assert dispatch(["defaults"]) == 0
    lines = capsys.readouterr().out.splitlines()
    index = lines.index("exporters.kafka.producer.required_acks")
    assert lines[index + 1] == "  here: all   Collector: 1"
    assert lines[index + 2].strip()


def test_defaults_as_json(capsys: Capture) -> None:
    """Apart: what is about loss, and the rest."""
    dispatch(["defaults", "--output", "json"])
    data = json.loads(capsys.readouterr().out)

    assert data["against_loss"][0]["ours"] == "all"
    assert "receivers.otlp.protocols.grpc.max_recv_msg_size_mib" in {
        one["key"] for one in data["other"]
    }
