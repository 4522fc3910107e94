"""The JSON Schema of a file."""

import json
import re

import pytest

from bridge.config import BrokenComponentError, json_schema
from tests.unit.config.fakes import FakeFactories


class _Sound(FakeFactories):
    def types(self, kind: str) -> list[str]:
        return [name for name in super().types(kind) if name != "broken"]


def test_schema_is_json_and_its_references_resolve() -> None:
    """Every definition that is named is there."""
    schema = json_schema(_Sound())
    text = json.dumps(schema)

    names = set(re.findall(r'"#/\$defs/([^"]+)"', text))
    assert names <= set(schema["$defs"])
    assert "exporters.debug" in names


def test_schema_matches_components_with_names() -> None:
    """``debug`` and ``debug/x``, but nothing else."""
    section = json_schema(_Sound())["properties"]["exporters"]["anyOf"][0]
    patterns = list(section["patternProperties"])

    assert any(re.search(pattern, "debug/x") for pattern in patterns)
    assert not any(re.search(pattern, "debugger") for pattern in patterns)
    assert section["additionalProperties"] is False


def test_schema_value_may_be_a_reference_or_nothing() -> None:
    """Editors do not mark ``${env:PORT}`` where a number belongs."""
    port = json_schema(_Sound())["$defs"]["exporters.debug"]["properties"]["port"]

    assert {"$ref": "#/$defs/reference"} in port["anyOf"]
    assert {"type": "null"} in port["anyOf"]
    assert {"type": "integer", "minimum": 1} in port["anyOf"]
    assert port["description"] == "Port number."


def test_schema_telemetry_takes_unknown_keys() -> None:
    """They are a warning, not an error."""
    definitions = json_schema(_Sound())["$defs"]

    assert "additionalProperties" not in definitions["service.telemetry"]
    assert definitions["exporters.debug"]["additionalProperties"] is False


def test_schema_of_a_broken_component_fails() -> None:
    """A schema that lacks a component would mark right files."""
    with pytest.raises(BrokenComponentError):
        json_schema(FakeFactories())
