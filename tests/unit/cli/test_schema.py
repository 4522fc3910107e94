"""``otlp-bridge schema``"""

import json

import pytest

from bridge.cli.app import dispatch


def test_schema_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    """With the installed components."""

    assert dispatch(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["required"] == ["service"]
    assert "exporters.kafka" in schema["$defs"]
