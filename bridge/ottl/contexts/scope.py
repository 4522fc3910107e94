"""Paths of an instrumentation scope."""

from bridge.ottl.contexts import fields

NAME = "scope"
LEGACY_NAME = "instrumentation_scope"

FIELDS: fields.Fields = {
    "name": fields.text("scope", "name"),
    "version": fields.text("scope", "version"),
    "attributes": fields.attributes("scope"),
    "dropped_attributes_count": fields.integer("scope", "dropped_attributes_count", 32),
    "schema_url": fields.schema_url("scope"),
}

ENUMS: dict[str, int] = {}
