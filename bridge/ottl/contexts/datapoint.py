"""
Paths of a data point.

Four messages share the context; a path that a point's message lacks reads as nil and cannot be set.
"""

from collections.abc import Callable
from typing import Any

from bridge.ottl.contexts import fields, metric
from bridge.ottl.contexts.fields import Field, Fields, Segments, end, expect
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Place
from bridge.ottl.schema import Metric
from bridge.ottl.values import Counts, Foreign, Numbers, type_name, wrap

NAME = "datapoint"

ENUMS: dict[str, int] = {"FLAG_NONE": 0, "FLAG_NO_RECORDED_VALUE": 1, **metric.ENUMS}

_UINT64 = 0xFFFFFFFFFFFFFFFF


def _kind_of(name: str) -> str:
    data = Metric.DESCRIPTOR.fields_by_name[name].message_type
    full_name: str = data.fields_by_name["data_points"].message_type.name
    return full_name


NUMBER = _kind_of("gauge")
HISTOGRAM = _kind_of("histogram")
EXPONENTIAL = _kind_of("exponential_histogram")
SUMMARY = _kind_of("summary")


def _message(cursor: Cursor, *kinds: str) -> Any:
    """The message of the point if it is of one of *kinds*, else `None`."""
    message = cursor.part.message
    return message if message.DESCRIPTOR.name in kinds else None


def _writable(cursor: Cursor, *kinds: str) -> Any:
    message = _message(cursor, *kinds)
    if message is None:
        raise OttlError(f"a {cursor.part.message.DESCRIPTOR.name} has no such field")
    return cursor.part.writable()


def _field(get: Callable[[Cursor], Any], put: Callable[[Cursor, Any], None]) -> Field:
    def field(segments: Segments) -> Place:
        end(segments)
        return Place(get, put)

    return field


def _value(name: str, kind: type, zero: Any, label: str) -> Field:
    """One of the two values of a number point; the other one reads as zero."""

    def get(cursor: Cursor) -> Any:
        message = _message(cursor, NUMBER)
        if message is None:
            return None
        return getattr(message, name) if message.WhichOneof("value") == name else zero

    def put(cursor: Cursor, value: Any) -> None:
        setattr(_writable(cursor, NUMBER), name, expect(value, kind, label))

    return _field(get, put)


def _number(name: str, kinds: tuple[str, ...], bits: int, *, signed: bool = False) -> Field:
    """An int of points of *kinds*."""
    mask, half = (1 << bits) - 1, 1 << (bits - 1)
    *path, last = name.split(".")

    def inner(message: Any) -> Any:
        for step in path:
            message = getattr(message, step)
        return message

    def get(cursor: Cursor) -> Any:
        message = _message(cursor, *kinds)
        return None if message is None else wrap(getattr(inner(message), last))

    def put(cursor: Cursor, value: Any) -> None:
        cut = expect(value, int, "int64") & mask
        setattr(
            inner(_writable(cursor, *kinds)),
            last,
            cut - (1 << bits) if signed and cut >= half else cut,
        )

    return _field(get, put)


def _sum(segments: Segments) -> Place:
    kinds = (HISTOGRAM, EXPONENTIAL, SUMMARY)

    def get(cursor: Cursor) -> Any:
        message = _message(cursor, *kinds)
        return None if message is None else message.sum

    def put(cursor: Cursor, value: Any) -> None:
        _writable(cursor, *kinds).sum = expect(value, float, "float64")

    return _field(get, put)(segments)


def _numbers(name: str, kind: str, of: type) -> Field:
    """A list of numbers: bucket counts or bounds."""
    *path, last = name.split(".")
    make = Numbers if of is float else Counts

    def inner(message: Any) -> Any:
        for step in path:
            message = getattr(message, step)
        return getattr(message, last)

    def get(cursor: Cursor) -> Any:
        message = _message(cursor, kind)
        if message is None:
            return None
        return make(inner(message))

    def put(cursor: Cursor, value: Any) -> None:
        numbers = _number_list(value, of)
        repeated = inner(_writable(cursor, kind))
        del repeated[:]
        repeated.extend(numbers)

    return _field(get, put)


def _number_list(value: Any, of: type) -> list[Any]:
    if not isinstance(value, list):
        raise OttlError(f"expects a list of numbers but got {type_name(value)}")
    for one in value:
        expect(one, of, "float64" if of is float else "int64")
    return list(value) if of is float else [one & _UINT64 for one in value]


def _foreign(name: str, kinds: tuple[str, ...], label: str, *, repeated: bool) -> Field:
    """A message that is only copied from a point to itself or counted."""

    def get(cursor: Cursor) -> Any:
        message = _message(cursor, *kinds)
        if message is None:
            return None
        found = getattr(message, name)
        if not repeated:
            return Foreign(label, (found.SerializeToString(),), is_list=False)
        return Foreign(
            label,
            tuple(one if isinstance(one, bytes) else one.SerializeToString() for one in found),
        )

    def put(cursor: Cursor, value: Any) -> None:
        fields.check_foreign(value, label)
        target = getattr(_writable(cursor, *kinds), name)
        if not repeated:
            target.ParseFromString(value.parts[0])
        elif value.parts != get(cursor).parts:
            del target[:]
            for part in value.parts:
                if hasattr(target, "add"):
                    target.add().ParseFromString(part)
                else:
                    target.append(part)

    return _field(get, put)


def _buckets(side: str) -> Field:
    return fields.sub_fields(
        {
            "offset": _number(f"{side}.offset", (EXPONENTIAL,), 32, signed=True),
            "bucket_counts": _numbers(f"{side}.bucket_counts", EXPONENTIAL, int),
        },
        _foreign(side, (EXPONENTIAL,), "buckets", repeated=False),
    )


_COUNTED = (HISTOGRAM, EXPONENTIAL, SUMMARY)

FIELDS: Fields = {
    "attributes": fields.attributes("part"),
    "start_time_unix_nano": fields.integer("part", "start_time_unix_nano", 64),
    "time_unix_nano": fields.integer("part", "time_unix_nano", 64),
    "start_time": fields.moment("part", "start_time_unix_nano"),
    "time": fields.moment("part", "time_unix_nano"),
    "value_double": _value("as_double", float, 0.0, "float64"),
    "value_int": _value("as_int", int, 0, "int64"),
    "exemplars": _foreign(
        "exemplars", (NUMBER, HISTOGRAM, EXPONENTIAL), "exemplars", repeated=True
    ),
    "flags": fields.integer("part", "flags", 32),
    "count": _number("count", _COUNTED, 64),
    "sum": _sum,
    "bucket_counts": _numbers("bucket_counts", HISTOGRAM, int),
    "explicit_bounds": _numbers("explicit_bounds", HISTOGRAM, float),
    "scale": _number("scale", (EXPONENTIAL,), 32, signed=True),
    "zero_count": _number("zero_count", (EXPONENTIAL,), 64),
    "positive": _buckets("positive"),
    "negative": _buckets("negative"),
    "quantile_values": _foreign("quantile_values", (SUMMARY,), "quantile values", repeated=True),
}
