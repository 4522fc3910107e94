"""
``AnyValue`` and ``KeyValue`` as bytes and as Python values, mostly without a message object.

Attributes stay serialized until somebody reads them; a value that is text, a bool, an int or a
double (nearly all are) is then read with a few slices. Field order and padding of varints differ
between senders: whatever is not laid out in the one simple way goes through protobuf.
"""

import struct
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError

from bridge.ottl.errors import OttlError
from bridge.ottl.schema import AnyValue, KeyValue
from bridge.ottl.values import Counts, a_type

DEPTH_MAX = 64
"""How deep lists and maps may nest when they are read or written; protobuf itself stops at 100."""

_TEXT, _BOOL, _INT, _DOUBLE, _LIST, _MAP, _BYTES = 0x0A, 0x10, 0x18, 0x21, 0x2A, 0x32, 0x3A
_TRUE, _FALSE = b"\x10\x01", b"\x10\x00"
_DOUBLE_LAYOUT = struct.Struct("<d")


def varint(value: int) -> bytes:
    """*value*, not negative, as a varint."""
    if value < 0x80:
        return _SMALL[value]
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)


_SMALL = [bytes([value]) for value in range(0x80)]


def delimited(tag: bytes, body: bytes) -> bytes:
    """A length-delimited field: *tag*, the length, *body*."""
    length = len(body)
    return tag + (_SMALL[length] if length < 0x80 else varint(length)) + body


def encode(value: Any, depth: int = DEPTH_MAX) -> bytes:
    """
    The serialized ``AnyValue`` of *value*; empty bytes for nil.

    Raises:
        OttlError: If the value has no place in an attribute, or nests deeper than `DEPTH_MAX`.
    """
    kind = type(value)
    if kind is str:
        return delimited(b"\x0a", value.encode("utf-8", "surrogateescape"))
    if kind is bool:
        return _TRUE if value else _FALSE
    if kind is int:
        return b"\x18" + varint(value & 0xFFFFFFFFFFFFFFFF)
    if kind is float:
        return b"\x21" + _DOUBLE_LAYOUT.pack(value)
    if value is None:
        return b""
    if kind is bytes:
        return delimited(b"\x3a", value)
    if depth == 0:
        raise OttlError(f"lists and maps are nested more than {DEPTH_MAX} deep")
    if isinstance(value, list) and kind is not Counts:
        values = [delimited(b"\x0a", encode(inner, depth - 1)) for inner in value]
        return delimited(b"\x2a", b"".join(values))
    if kind is dict:
        pairs = [
            delimited(b"\x0a", encode_pair(key, encode(inner, depth - 1)))
            for key, inner in value.items()
        ]
        return delimited(b"\x32", b"".join(pairs))
    raise OttlError(f"{a_type(value)} cannot be stored in an attribute")


def encode_pair(key: str, value: bytes) -> bytes:
    """The serialized ``KeyValue`` of *key* and a serialized value."""
    return key_prefix(key) + delimited(b"\x12", value)


def key_prefix(key: str) -> bytes:
    """How a ``KeyValue`` of *key* begins (or ends) in the usual layout."""
    return delimited(b"\x0a", key.encode("utf-8", "surrogateescape"))


def decode(data: bytes) -> Any:
    """
    The value of a serialized ``AnyValue``.

    Raises:
        OttlError: If the bytes are no value, or nest deeper than `DEPTH_MAX`.
    """
    length = len(data)
    if length == 0:
        return None
    tag = data[0]
    # A truncated value comes here as it came over the wire: each byte is there before it is read.
    if tag == _TEXT:
        if 1 < length < 0x82 and length == data[1] + 2:
            return to_text(data[2:])
        long = length > 3 and data[1] > 0x7F and data[2] < 0x80
        if long and length == (data[1] & 0x7F | data[2] << 7) + 3:
            return to_text(data[3:])
    elif tag == _INT:
        if length == 2 and data[1] < 0x80:
            return data[1]
        if length == 3 and data[1] > 0x7F and data[2] < 0x80:
            return data[1] & 0x7F | data[2] << 7
    elif tag == _BOOL and length == 2 and data[1] < 0x80:
        return data[1] != 0
    elif tag == _DOUBLE and length == 9:
        return _DOUBLE_LAYOUT.unpack_from(data, 1)[0]
    return _decode_slowly(data)


def to_text(data: bytes) -> str:
    """The text of *data*, with surrogate escapes where it is no UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def _decode_slowly(data: bytes) -> Any:
    try:
        return _value(AnyValue.FromString(data), DEPTH_MAX)
    except DecodeError as error:
        raise OttlError("an attribute value is no valid protobuf") from error


def _value(message: Any, depth: int) -> Any:
    if depth < 0:
        raise OttlError(f"lists and maps are nested more than {DEPTH_MAX} deep")
    kind = message.WhichOneof("value")
    if kind is None:
        return None
    value = getattr(message, kind)
    if kind == "text":
        return to_text(value)
    if kind == "list":
        return [_value(inner, depth - 1) for inner in value.values]
    if kind == "map":
        # The first of two equal keys is the one that lookups find.
        pairs: dict[str, Any] = {}
        for pair in value.values:
            pairs.setdefault(to_text(pair.key), _value(pair.value, depth - 1))
        return pairs
    return value


def split_pair(data: bytes) -> tuple[str, bytes]:
    """
    Key and serialized value of a ``KeyValue``.

    Raises:
        OttlError: If the bytes are none.
    """
    key, value = split_raw(data)
    return to_text(key), value


def split_raw(data: bytes) -> tuple[bytes, bytes]:
    """
    Key and value of a ``KeyValue``, both as bytes.

    Raises:
        OttlError: If the bytes are none.
    """
    length = len(data)
    if length > 3 and data[1] < 0x80:
        middle = data[1] + 2
        if middle + 2 <= length:
            if data[0] == 0x0A and data[middle] == 0x12:
                size, start = _size(data, middle + 1)
                if start + size == length:
                    return data[2:middle], data[start:]
            elif data[0] == 0x12 and data[middle] == 0x0A:
                size, start = _size(data, middle + 1)
                if start + size == length:
                    return data[start:], data[2:middle]
    try:
        pair = KeyValue.FromString(data)
    except DecodeError as error:
        raise OttlError("an attribute is no valid protobuf") from error
    return pair.key, pair.value


def _size(data: bytes, at: int) -> tuple[int, int]:
    """A length of one or two bytes at *at* and where its data starts; (-1, 0) for longer ones."""
    first = data[at]
    if first < 0x80:
        return first, at + 1
    if at + 1 < len(data) and data[at + 1] < 0x80:
        return first & 0x7F | data[at + 1] << 7, at + 2
    return -1, 0


def decode_pairs(pairs: Iterable[bytes]) -> dict[str, Any]:
    """The map that serialized ``KeyValue``s make; of two equal keys the first counts."""
    decoded: dict[str, Any] = {}
    for data in pairs:
        key, value = split_pair(data)
        if key not in decoded:
            decoded[key] = decode(value)
    return decoded


def encode_pairs(pairs: dict[str, Any]) -> list[bytes]:
    """The serialized ``KeyValue``s of a map, in its order."""
    return [encode_pair(key, encode(value)) for key, value in pairs.items()]
