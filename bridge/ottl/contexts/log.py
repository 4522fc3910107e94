"""Paths of a log record."""

from typing import Any

from bridge.ottl import schema
from bridge.ottl.codec import decode, encode
from bridge.ottl.contexts import fields
from bridge.ottl.contexts.fields import Fields, Segments, end, expect
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Place
from bridge.ottl.gotext import attribute_text
from bridge.ottl.keys import Keys, bury, dig, storable
from bridge.ottl.values import SpanId, TraceId, type_name

NAME = "log"

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")

ENUMS: dict[str, int] = {
    "SEVERITY_NUMBER_UNSPECIFIED": 0,
    **{
        f"SEVERITY_NUMBER_{level}{step + 1 if step else ''}": 4 * index + step + 1
        for index, level in enumerate(_LEVELS)
        for step in range(4)
    },
}


def _get_body(cursor: Cursor) -> Any:
    return decode(cursor.item.message.body)


def _put_body(cursor: Cursor, value: Any) -> None:
    if value is None:
        return
    data = encode(storable(value))
    if data != cursor.item.message.body:
        cursor.item.writable().body = data


def _check_indexable(body: Any) -> None:
    if not isinstance(body, dict | list):
        raise OttlError(f"log bodies of type {type_name(body)} cannot be indexed")


def _body_key(keys: Keys) -> Place:
    def get(cursor: Cursor) -> Any:
        body = _get_body(cursor)
        _check_indexable(body)
        return dig(body, keys, cursor)

    def put(cursor: Cursor, value: Any) -> None:
        body = _get_body(cursor)
        _check_indexable(body)
        _put_body(cursor, bury(body, keys, cursor, storable(value)))

    return Place(get, put)


def _body(segments: Segments) -> Place:
    first = segments[0]
    if first.keys:
        end((fields.Segment(first.name, (), first.at), *segments[1:]))
        return _body_key(first.keys)
    end(segments)
    return Place(_get_body, _put_body)


def _body_text(segments: Segments) -> Place:
    end(segments)

    def get(cursor: Cursor) -> str:
        return attribute_text(_get_body(cursor))

    def put(cursor: Cursor, value: Any) -> None:
        _put_body(cursor, expect(value, str, "string"))

    return Place(get, put)


FIELDS: Fields = {
    "time_unix_nano": fields.integer("item", "time_unix_nano", 64),
    "observed_time_unix_nano": fields.integer("item", "observed_time_unix_nano", 64),
    "time": fields.moment("item", "time_unix_nano"),
    "observed_time": fields.moment("item", "observed_time_unix_nano"),
    "severity_number": fields.integer(
        "item", "severity_number", 32, signed=True, narrow=schema.LogGlance
    ),
    "severity_text": fields.text("item", "severity_text", schema.LogGlance),
    "body": fields.sub_fields({"string": _body_text}, _body),
    "attributes": fields.attributes("item", 6),
    "dropped_attributes_count": fields.integer("item", "dropped_attributes_count", 32),
    "flags": fields.integer("item", "flags", 32),
    "trace_id": fields.identifier("item", "trace_id", TraceId),
    "span_id": fields.identifier("item", "span_id", SpanId),
    "event_name": fields.text("item", "event_name", schema.LogGlance),
}
