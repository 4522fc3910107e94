"""JSON Schema of a whole configuration file, for editors."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from bridge.config.factories import load_factory
from bridge.config.loaded import KINDS, FactorySource
from bridge.config.telemetry import TelemetrySection

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"type": "string", "pattern": r"\$\{.+\}"}
_NAMES = {"type": ["array", "null"], "items": {"type": "string"}, "uniqueItems": True}


class _Schema(GenerateJsonSchema):
    """pydantic's generator, made to skip what a validator of ours does in Python."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as there

    def handle_invalid_for_json_schema(
        self, schema: core_schema.CoreSchema, error_info: str
    ) -> JsonSchemaValue:
        del schema, error_info
        return {}


def json_schema(factories: FactorySource) -> dict[str, Any]:
    """
    The schema of a configuration file with every installed component.

    Values may also be references (``${env:NAME}``), sections may be empty, and
    ``service.telemetry`` takes keys that it does not know, since they only make a warning.

    Raises:
        BrokenComponentError: If a component cannot be loaded.
    """
    definitions: dict[str, Any] = {"reference": _REFERENCE}
    properties: dict[str, Any] = {}
    for kind in KINDS:
        patterns: dict[str, Any] = {}
        for type_name in factories.types(kind):
            name = f"{kind}.{type_name}"
            factory = load_factory(factories, kind, type_name)
            _define(name, factory.config, definitions)
            patterns[f"^{type_name}(/.+)?$"] = _or_null({"$ref": f"#/$defs/{name}"})
        properties[kind] = _or_null(
            {"type": "object", "patternProperties": patterns, "additionalProperties": False}
        )
    properties["service"] = _service(definitions)
    return {
        "$schema": DIALECT,
        "title": "otlp-bridge configuration",
        "type": "object",
        "properties": properties,
        "required": ["service"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _service(definitions: dict[str, Any]) -> dict[str, Any]:
    _define("service.telemetry", TelemetrySection, definitions)
    for name, definition in definitions.items():
        if name.startswith("service.telemetry"):
            definition.pop("additionalProperties", None)
    pipeline = {
        "type": "object",
        "properties": dict.fromkeys(("receivers", "processors", "exporters"), _NAMES),
        "required": ["receivers", "exporters"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "extensions": _NAMES,
            "pipelines": {
                "type": "object",
                "patternProperties": {"^(traces|metrics|logs)(/.+)?$": pipeline},
                "additionalProperties": False,
                "minProperties": 1,
            },
            "telemetry": _or_null({"$ref": "#/$defs/service.telemetry"}),
        },
        "required": ["pipelines"],
        "additionalProperties": False,
    }


def _define(name: str, model: Any, definitions: dict[str, Any]) -> None:
    """Add *model* as definition *name*, and what it refers to under names of its own below it."""
    schema = TypeAdapter(model).json_schema(
        mode="validation", ref_template=f"#/$defs/{name}.{{model}}", schema_generator=_Schema
    )
    for part, definition in schema.pop("$defs", {}).items():
        definitions[f"{name}.{part}"] = _loosened(definition)
    definitions[name] = _loosened(schema)


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _loosened(schema: Any) -> Any:
    """The same schema with references allowed for every value, and nothing for every section."""
    if isinstance(schema, list):
        return [_loosened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    loose = {key: value if key in _DATA else _loosened(value) for key, value in schema.items()}
    if isinstance(loose.get("properties"), dict):
        loose["properties"] = {key: _value(value) for key, value in loose["properties"].items()}
    return loose


_DATA = frozenset(("default", "examples", "enum", "const", "description", "title"))


def _value(schema: Any) -> Any:
    """One property: what it was, a reference, or nothing. Its texts stay where editors look."""
    texts = {key: schema[key] for key in ("title", "description", "default") if key in schema}
    inner = {key: value for key, value in schema.items() if key not in texts}
    choices = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    return {**texts, "anyOf": [*choices, {"$ref": "#/$defs/reference"}, {"type": "null"}]}
