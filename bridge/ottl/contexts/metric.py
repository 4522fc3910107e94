"""Paths of a metric."""

from typing import Any

from bridge.ottl import schema
from bridge.ottl.contexts import fields
from bridge.ottl.contexts.fields import Fields, Segments, end, expect
from bridge.ottl.expressions import Cursor, Place
from bridge.ottl.values import Foreign, wrap32

NAME = "metric"

TYPES = ("", "gauge", "sum", "histogram", "exponential_histogram", "summary")
"""The kinds of a metric by the number that the path ``type`` gives."""

ENUMS: dict[str, int] = {
    "AGGREGATION_TEMPORALITY_UNSPECIFIED": 0,
    "AGGREGATION_TEMPORALITY_DELTA": 1,
    "AGGREGATION_TEMPORALITY_CUMULATIVE": 2,
    "METRIC_DATA_TYPE_NONE": 0,
    **{f"METRIC_DATA_TYPE_{kind.upper()}": number for number, kind in enumerate(TYPES) if kind},
}

_TEMPORAL = frozenset({"sum", "histogram", "exponential_histogram"})

POINT_KINDS = {
    "gauge": "number points",
    "sum": "number points",
    "histogram": "histogram points",
    "exponential_histogram": "exponential histogram points",
    "summary": "summary points",
}


def _type(segments: Segments) -> Place:
    end(segments)

    def put(cursor: Cursor, value: Any) -> None:
        """The type cannot be set; the Collector says nothing either."""

    return Place(lambda cursor: TYPES.index(cursor.item.kind), put)


def _temporality(segments: Segments) -> Place:
    end(segments)

    def get(cursor: Cursor) -> Any:
        metric = cursor.item
        return metric.data.aggregation_temporality if metric.kind in _TEMPORAL else None

    def put(cursor: Cursor, value: Any) -> None:
        number = expect(value, int, "int64")
        if cursor.item.kind in _TEMPORAL and get(cursor) != number:
            cursor.item.writable()
            cursor.item.data.aggregation_temporality = wrap32(number)

    return Place(get, put)


def _is_monotonic(segments: Segments) -> Place:
    end(segments)

    def get(cursor: Cursor) -> Any:
        return cursor.item.data.is_monotonic if cursor.item.kind == "sum" else None

    def put(cursor: Cursor, value: Any) -> None:
        expect(value, bool, "bool")
        if cursor.item.kind == "sum" and get(cursor) is not value:
            cursor.item.writable()
            cursor.item.data.is_monotonic = value

    return Place(get, put)


def _data_points(segments: Segments) -> Place:
    end(segments)

    def get(cursor: Cursor) -> Any:
        metric = cursor.item
        if not metric.kind:
            return None
        metric.flush()
        parts = tuple(point.SerializeToString() for point in metric.data.data_points)
        return Foreign(POINT_KINDS[metric.kind], parts)

    def put(cursor: Cursor, value: Any) -> None:
        metric = cursor.item
        if not metric.kind:
            return
        fields.check_foreign(value, POINT_KINDS[metric.kind])
        if value.parts != get(cursor).parts:
            metric.reset()
            points = metric.data.data_points
            del points[:]
            for part in value.parts:
                points.add().ParseFromString(part)

    return Place(get, put)


def _metadata(segments: Segments) -> Place:
    # The node keeps a metric's metadata where other nodes keep their attributes.
    return fields.attributes("item", 12)(segments)


FIELDS: Fields = {
    "name": fields.text("item", "name", schema.MetricGlance),
    "description": fields.text("item", "description", schema.MetricGlance),
    "unit": fields.text("item", "unit", schema.MetricGlance),
    "type": _type,
    "aggregation_temporality": _temporality,
    "is_monotonic": _is_monotonic,
    "data_points": _data_points,
    "metadata": _metadata,
}
