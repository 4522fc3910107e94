"""
Protobuf readers that know only what they are asked for.

They are made at start from the fields that the configured policies look at. A field declared
``merged`` is a singular message: protobuf then merges all its occurrences, and merging messages
appends their repeated fields. So one parse turns all spans of a trace into columns, such as the
list of all start times, without an object for each span.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_F = descriptor_pb2.FieldDescriptorProto

Reader = Callable[[bytes], Any]
"""
Parses bytes into a message with the fields that were asked for.

Raises:
    DecodeError: If the bytes are no valid protobuf.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """A field to read: `type` is a scalar's descriptor number, or the name of a message."""

    name: str
    number: int
    type: int | str
    repeated: bool = False


BYTES = _F.TYPE_BYTES
BOOL = _F.TYPE_BOOL
INT32 = _F.TYPE_INT32
INT64 = _F.TYPE_INT64
DOUBLE = _F.TYPE_DOUBLE
FIXED32 = _F.TYPE_FIXED32
FIXED64 = _F.TYPE_FIXED64


def make_reader(messages: Mapping[str, Sequence[Field]]) -> Reader:
    """A reader of the first of *messages*; the others are what it holds."""
    file = descriptor_pb2.FileDescriptorProto(name="r.proto", package="r", syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field in fields:
            label = _F.LABEL_REPEATED if field.repeated else _F.LABEL_OPTIONAL
            entry = message.field.add(name=field.name, number=field.number, label=label)
            if isinstance(field.type, str):
                entry.type, entry.type_name = _F.TYPE_MESSAGE, f".r.{field.type}"
            else:
                entry.type = field.type  # type: ignore[assignment]  # The stub wants its enum.
    # A pool of its own: names never clash, and it is collected with the reader.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    root = pool.FindMessageTypeByName(f"r.{next(iter(messages))}")
    reader: Reader = message_factory.GetMessageClass(root).FromString
    return reader


TRACE_IDS = make_reader(
    {
        "Request": [Field("resource", 1, "Resource")],
        "Resource": [Field("scope", 2, "Scope")],
        "Scope": [Field("span", 2, "Span")],
        "Span": [Field("trace_id", 1, BYTES, repeated=True)],
    }
)
"""All trace ids of a request as one list: ``TRACE_IDS(body).resource.scope.span.trace_id``."""

PARENT_IDS = make_reader(
    {
        "Scope": [Field("span", 2, "Span")],
        "Span": [Field("parent_span_id", 4, BYTES, repeated=True)],
    }
)
"""All parent ids of framed spans: ``PARENT_IDS(framed).span.parent_span_id``."""
