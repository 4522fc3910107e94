"""The key that the Collector gives to a resource: a 128-bit hash of its attributes."""

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING

import xxhash
from google.protobuf.message import DecodeError

from bridge.core import Malformed

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

# One byte before each kind of value, so that 7, 7.0 and "7" differ.
_EMPTY, _BYTES, _STRING = b"\xf5", b"\xf6", b"\xf7"
_TRUE, _FALSE, _INT, _DOUBLE = b"\xf8", b"\xf9", b"\xfa", b"\xfb"
_MAP_START, _MAP_STOP, _LIST_START, _LIST_STOP = b"\xfc", b"\xfd", b"\xfe", b"\xff"
_KEY = b"\xf4"
_SECOND_HALF = b"\xf3"
_NO_ATTRIBUTES = bytes(16)


def resource_key(resource: bytes) -> bytes:
    """
    16 bytes that are equal for equal attributes in whatever order; zero for none.

    Args:
        resource: An encoded ``Resource`` message.

    Raises:
        Malformed: If it is no valid protobuf, or too deeply nested.

    Source:
        The Collector's ``pdatautil.MapHash``; tests/vectors holds its answers.
    """
    # Traces have no such key; where only traces flow the messages are not needed.
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    try:
        attributes = Resource.FromString(resource).attributes
    except DecodeError as error:
        raise Malformed("a resource is no valid protobuf") from error
    if not attributes:
        return _NO_ATTRIBUTES
    out = bytearray()
    _write_pairs(out, attributes)
    low = xxhash.xxh64_intdigest(bytes(out))
    high = xxhash.xxh64_intdigest(bytes(out) + _SECOND_HALF)
    return struct.pack("<QQ", low, high)


def _write_pairs(out: bytearray, pairs: "Iterable[KeyValue]") -> None:
    for pair in sorted(pairs, key=lambda pair: pair.key.encode()):
        out += _KEY
        out += pair.key.encode()
        _write_value(out, pair.value)


def _write_value(out: bytearray, value: "AnyValue") -> None:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        out += _STRING + value.string_value.encode()
    elif kind == "bool_value":
        out += _TRUE if value.bool_value else _FALSE
    elif kind == "int_value":
        out += _INT + struct.pack("<q", value.int_value)
    elif kind == "double_value":
        out += _DOUBLE + struct.pack("<d", value.double_value)
    elif kind == "bytes_value":
        out += _BYTES + value.bytes_value
    elif kind == "kvlist_value":
        out += _MAP_START
        _write_pairs(out, value.kvlist_value.values)
        out += _MAP_STOP
    elif kind == "array_value":
        out += _LIST_START
        for element in value.array_value.values:
            _write_value(out, element)
        out += _LIST_STOP
    else:
        out += _EMPTY
