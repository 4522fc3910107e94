"""Paths of a span."""

from operator import attrgetter
from typing import Any

from bridge.ottl import schema
from bridge.ottl.contexts import fields, tracestate
from bridge.ottl.contexts.fields import Field, Fields, Segments, end, expect
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Place
from bridge.ottl.nodes import EventNode
from bridge.ottl.values import Foreign, SpanId, TraceId

NAME = "span"

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")

ENUMS: dict[str, int] = {
    **{f"SPAN_KIND_{kind}": number for number, kind in enumerate(KINDS)},
    "STATUS_CODE_UNSET": 0,
    "STATUS_CODE_OK": 1,
    "STATUS_CODE_ERROR": 2,
}

_FLAGS_MAX = 0xFFFFFFFF
_kind = attrgetter("item.message.kind")


def kind_text(number: int) -> str:
    """``SPAN_KIND_SERVER``; empty for a number without a name."""
    return f"SPAN_KIND_{KINDS[number]}" if 0 <= number < len(KINDS) else ""


def _kind_field(names: dict[str, int]) -> Field:
    by_number = {number: name for name, number in names.items()}

    def get(cursor: Cursor) -> str:
        return by_number.get(_kind(cursor), "")

    def put(cursor: Cursor, value: Any) -> None:
        name = expect(value, str, "string")
        if name not in names:
            raise OttlError(f"unknown span kind {name!r}")
        cursor.item.writable().kind = names[name]

    def field(segments: Segments) -> Place:
        end(segments)
        return Place(get, put)

    return field


def _events(segments: Segments) -> Place:
    end(segments)

    def get(cursor: Cursor) -> Foreign:
        return Foreign("events", tuple(event.dump() for event in cursor.item.events))

    def put(cursor: Cursor, value: Any) -> None:
        fields.check_foreign(value, "events")
        # The Collector empties the target before it copies: events set to themselves are gone.
        parts = () if value.parts == get(cursor).parts else value.parts
        cursor.item.events = [EventNode(part) for part in parts]

    return Place(get, put)


def _links(segments: Segments) -> Place:
    end(segments)

    def get(cursor: Cursor) -> Foreign:
        return Foreign("links", tuple(cursor.item.message.links[:]))

    def put(cursor: Cursor, value: Any) -> None:
        fields.check_foreign(value, "links")
        parts = () if value.parts == get(cursor).parts else value.parts
        message = cursor.item.writable()
        del message.links[:]
        message.links.extend(parts)

    return Place(get, put)


def _status(segments: Segments) -> Place:
    end(segments)

    def get(cursor: Cursor) -> Foreign:
        return Foreign("status", (cursor.item.message.status.SerializeToString(),), is_list=False)

    def put(cursor: Cursor, value: Any) -> None:
        fields.check_foreign(value, "status")
        if value.parts != get(cursor).parts:
            cursor.item.writable().status.ParseFromString(value.parts[0])

    return Place(get, put)


def _flags(segments: Segments) -> Place:
    place = fields.integer("item", "flags", 32)(segments)
    store = place.set

    def put(cursor: Cursor, value: Any) -> None:
        if not 0 <= expect(value, int, "int64") <= _FLAGS_MAX:
            raise OttlError(f"flags {value} do not fit 32 bits")
        store(cursor, value)

    return Place(place.get, put)


FIELDS: Fields = {
    "trace_id": fields.identifier("item", "trace_id", TraceId),
    "span_id": fields.identifier("item", "span_id", SpanId),
    "parent_span_id": fields.identifier("item", "parent_span_id", SpanId),
    "trace_state": tracestate.field,
    "name": fields.text("item", "name", schema.SpanGlance),
    "kind": fields.sub_fields(
        {
            "string": _kind_field({kind.capitalize(): n for n, kind in enumerate(KINDS)}),
            "deprecated_string": _kind_field({kind_text(n): n for n in range(len(KINDS))}),
        },
        fields.integer("item", "kind", 32, signed=True, narrow=schema.SpanGlance),
    ),
    "start_time_unix_nano": fields.integer(
        "item", "start_time_unix_nano", 64, narrow=schema.SpanGlance
    ),
    "end_time_unix_nano": fields.integer(
        "item", "end_time_unix_nano", 64, narrow=schema.SpanGlance
    ),
    "start_time": fields.moment("item", "start_time_unix_nano"),
    "end_time": fields.moment("item", "end_time_unix_nano"),
    "attributes": fields.attributes("item", 9),
    "dropped_attributes_count": fields.integer("item", "dropped_attributes_count", 32),
    "events": _events,
    "dropped_events_count": fields.integer("item", "dropped_events_count", 32),
    "links": _links,
    "dropped_links_count": fields.integer("item", "dropped_links_count", 32),
    "status": fields.sub_fields(
        {
            "code": fields.integer(
                "item", "status.code", 32, signed=True, narrow=schema.SpanGlance
            ),
            "message": fields.text("item", "status.message", schema.SpanGlance),
        },
        _status,
    ),
    "flags": _flags,
}
