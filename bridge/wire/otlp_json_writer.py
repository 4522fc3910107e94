"""Protobuf messages to OTLP/JSON objects: one table of converters a message type."""

import base64
import math
from collections.abc import Callable
from typing import Any, Final, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from bridge.wire.otlp_json_reader import ID_BYTES

_WIDE_KINDS: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_SFIXED64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_FIXED64,
    }
)
"""JSON numbers are doubles to many readers: these are written as strings."""

_object_tables: dict[str, dict[int, tuple[str, Callable[[Any], Any]]]] = {}


def to_object(message: Message) -> dict[str, Any]:
    """*message* as what `json.dumps` writes; fields that are not set are left out."""
    descriptor = message.DESCRIPTOR
    table = _object_tables.get(descriptor.full_name)
    if table is None:
        table = _object_tables[descriptor.full_name] = {
            field.number: (field.json_name, _make_converter(cast(FieldDescriptor, field)))
            for field in descriptor.fields
        }
    document: dict[str, Any] = {}
    for field, value in message.ListFields():
        name, convert = table[field.number]
        document[name] = convert(value)
    return document


def _make_converter(field: FieldDescriptor) -> Callable[[Any], Any]:
    convert: Callable[[Any], Any]
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        convert = to_object
    elif field.type == FieldDescriptor.TYPE_BYTES:
        convert = _hex if field.name in ID_BYTES else _base64
    elif field.type in _WIDE_KINDS:
        convert = str
    elif field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        convert = _float
    else:
        convert = _same
    if field.is_repeated:
        return lambda values: [convert(value) for value in values]
    return convert


def _same(value: Any) -> Any:
    return value


def _hex(value: bytes) -> str:
    return value.hex()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
