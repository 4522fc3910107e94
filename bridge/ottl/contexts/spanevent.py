"""Paths of a span's event."""

from typing import Any

from bridge.ottl.contexts import fields, span
from bridge.ottl.contexts.fields import Fields, Segments, end
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Place

NAME = "spanevent"


def _event_index(segments: Segments) -> Place:
    """The Collector's processors never say which event it is; the path exists and fails."""
    end(segments)

    def get(cursor: Cursor) -> Any:
        raise OttlError("no 'event_index' is known here")

    def put(cursor: Cursor, value: Any) -> None:
        raise OttlError("the 'event_index' cannot be set")

    return Place(get, put)


FIELDS: Fields = {
    "time_unix_nano": fields.integer("part", "time_unix_nano", 64),
    "time": fields.moment("part", "time_unix_nano"),
    "name": fields.text("part", "name"),
    "attributes": fields.attributes("part"),
    "dropped_attributes_count": fields.integer("part", "dropped_attributes_count", 32),
    "event_index": _event_index,
}

ENUMS = span.ENUMS
