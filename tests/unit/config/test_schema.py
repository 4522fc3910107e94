"""The JSON Schema of a file."""

import json
import re

import pytest
from pydantic import ConfigDict

from bridge.config import BrokenComponentError, json_schema
from bridge.core import ExporterFactory
from bridge.options import Options
from tests.unit.config.fakes import FakeFactories, never


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


class _Opaque:
    pass


class _Foreign(Options):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    value: _Opaque | None = None
    """Something that JSON knows nothing of."""


def test_schema_of_a_foreign_type_allows_anything() -> None:
    """A plugin's model may hold types of its own."""
    factories = _Sound()
    factories.known["exporters"]["foreign"] = ExporterFactory("foreign", _Foreign, never)

    value = json_schema(factories)["$defs"]["exporters.foreign"]["properties"]["value"]
    assert {} in value["anyOf"]


def test_schema_of_a_broken_component_fails() -> None:
    """A schema that lacks a component would mark right files."""
    with pytest.raises(BrokenComponentError):
        json_schema(FakeFactories())
