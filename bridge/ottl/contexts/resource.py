"""Paths of a resource."""

from bridge.ottl.contexts import fields

NAME = "resource"

FIELDS: fields.Fields = {
    "attributes": fields.attributes("resource"),
    "dropped_attributes_count": fields.integer("resource", "dropped_attributes_count", 32),
    "schema_url": fields.schema_url("resource"),
}

ENUMS: dict[str, int] = {}
