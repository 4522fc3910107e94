"""OTLP/JSON to protobuf bytes: one table of writers a message type, made from its descriptor."""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from bridge.core import Malformed

AnyDescriptor = Any
"""A message descriptor; the stubs of protobuf disagree with themselves about its class."""

ID_BYTES: Final = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
_DEPTH_MAX: Final = 100
"""Messages within messages: what protobuf's own parser takes."""

_INTEGER: Final = re.compile(r"[+-]?\d{1,20}")
_NON_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

# FieldDescriptor's type numbers by what they become on the wire.
_RANGES: Final = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_ENUM: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}
_FORMATS: Final = {
    FieldDescriptor.TYPE_SFIXED32: "<i",
    FieldDescriptor.TYPE_FIXED32: "<I",
    FieldDescriptor.TYPE_SFIXED64: "<q",
    FieldDescriptor.TYPE_FIXED64: "<Q",
}
_ZIGZAG: Final = (FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SINT64)
_Writer = Callable[[Any], bytes]
"""A JSON value to the bytes of a scalar, without its tag."""

_Put = Callable[[Any, list[bytes], int], None]
"""Appends a JSON value as a field; the last argument is the depth of its message."""


_writers: dict[str, Callable[[Any, int], bytes]] = {}


def message_writer(descriptor: AnyDescriptor) -> Callable[[Any, int], bytes]:
    """
    What turns a JSON object into the bytes of a message.

    It is called with the object and its depth (1 for the outermost) and raises `Malformed` if a
    value does not fit its field or objects are nested too deeply.
    """
    known = _writers.get(descriptor.full_name)
    if known is not None:
        return known
    puts: dict[str, _Put] = {}
    name = descriptor.name

    def write(value: Any, depth: int) -> bytes:
        if type(value) is not dict:
            raise Malformed(f"{name} must be an object")
        if depth > _DEPTH_MAX:
            raise Malformed(f"messages are nested more than {_DEPTH_MAX} deep")
        out: list[bytes] = []
        for key, member in value.items():
            put = puts.get(key)
            if put is not None and member is not None:
                put(member, out, depth)
        return b"".join(out)

    # Registered before its fields are looked at: messages may hold themselves.
    _writers[descriptor.full_name] = write
    for field in descriptor.fields:
        puts[field.json_name] = _make_put(field)
    return write


def _make_put(field: FieldDescriptor) -> _Put:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _put_messages(field) if field.is_repeated else _put_message(field)
    return _put_scalars(field) if field.is_repeated else _put_scalar(field)


def _put_message(field: FieldDescriptor) -> _Put:
    write, tag = message_writer(_message_type(field)), _varint(field.number << 3 | 2)

    def put(value: Any, out: list[bytes], depth: int) -> None:
        body = write(value, depth + 1)
        out += (tag, _varint(len(body)), body)

    return put


def _put_messages(field: FieldDescriptor) -> _Put:
    put_one, path = _put_message(field), _path(field)

    def put(value: Any, out: list[bytes], depth: int) -> None:
        if type(value) is not list:
            raise Malformed(f"{path} must be an array")
        for member in value:
            put_one(member, out, depth)

    return put


def _put_scalar(field: FieldDescriptor) -> _Put:
    write, tag = _scalar_writer(field), _varint(field.number << 3 | _wire_type(field))
    # A default is left out, except where its presence means something.
    explicit = field.containing_oneof is not None
    default = write("" if _is_text(field) else 0) if not _is_bool(field) else write(False)
    with_length = _is_text(field)

    def put(value: Any, out: list[bytes], _depth: int) -> None:
        written = write(value)
        if explicit or written != default:
            out += (tag, _varint(len(written)), written) if with_length else (tag, written)

    return put


def _put_scalars(field: FieldDescriptor) -> _Put:
    write, path = _scalar_writer(field), _path(field)
    if _is_text(field):
        tag = _varint(field.number << 3 | 2)

        def put_each(value: Any, out: list[bytes], _depth: int) -> None:
            for member in _members(value, path):
                written = write(member)
                out += (tag, _varint(len(written)), written)

        return put_each
    packed_tag = _varint(field.number << 3 | 2)

    def put_packed(value: Any, out: list[bytes], _depth: int) -> None:
        packed = b"".join([write(member) for member in _members(value, path)])
        if packed:
            out += (packed_tag, _varint(len(packed)), packed)

    return put_packed


def _members(value: Any, path: str) -> list[Any]:
    if type(value) is not list:
        raise Malformed(f"{path} must be an array")
    return value


def _scalar_writer(field: FieldDescriptor) -> _Writer:
    path, kind = _path(field), field.type
    if kind == FieldDescriptor.TYPE_STRING:
        return lambda value: _write_text(value, path)
    if kind == FieldDescriptor.TYPE_BYTES:
        size = ID_BYTES.get(field.name)
        if size is not None:
            return lambda value: _write_id(value, size, path)
        return lambda value: _write_base64(value, path)
    if kind == FieldDescriptor.TYPE_BOOL:
        return lambda value: _write_bool(value, path)
    if kind in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        pack_float = struct.Struct("<d" if kind == FieldDescriptor.TYPE_DOUBLE else "<f").pack
        return lambda value: _write_float(value, pack_float, path)
    names = (
        {value.name: value.number for value in field.enum_type.values} if field.enum_type else {}
    )
    low, high = _RANGES[kind]
    if kind in _FORMATS:
        pack = struct.Struct(_FORMATS[kind]).pack
        return lambda value: pack(_read_integer(value, low, high, path))
    if kind in _ZIGZAG:
        return lambda value: _varint(_zigzag(_read_integer(value, low, high, path)))

    def write_varint(value: Any) -> bytes:
        # Only text can name a value; an object or an array could not even be looked up.
        named = names.get(value, value) if type(value) is str else value
        return _varint(_read_integer(named, low, high, path) & 2**64 - 1)

    return write_varint


def _read_integer(value: Any, low: int, high: int, path: str) -> int:
    kind = type(value)
    if (
        kind is int
        or (kind is str and _INTEGER.fullmatch(value))
        or (kind is float and value.is_integer())
    ):
        number = int(value)
        if low <= number <= high:
            return number
    raise Malformed(f"{path} must be an integer between {low} and {high}")


def _write_float(value: Any, pack: Callable[[float], bytes], path: str) -> bytes:
    try:
        if type(value) is str:
            return pack(_NON_FINITE[value] if value in _NON_FINITE else _finite(float(value)))
        if type(value) in (int, float):
            return pack(_finite(float(value)))
    except (ValueError, OverflowError) as error:
        raise Malformed(f"{path} must be a number: {error}") from error
    raise Malformed(f"{path} must be a number")


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError('too large; write "Infinity" or "NaN" if it is meant')
    return number


def _write_text(value: Any, path: str) -> bytes:
    if type(value) is not str:
        raise Malformed(f"{path} must be a string")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise Malformed(f"{path} holds half a surrogate pair") from error


def _write_id(value: Any, size: int, path: str) -> bytes:
    try:
        written = bytes.fromhex(value) if type(value) is str else None
    except ValueError:
        written = None
    # The length of both, since fromhex skips spaces.
    if written is None or len(value) != 2 * len(written) or len(written) not in (0, size):
        raise Malformed(f"{path} must be {size * 2} hexadecimal digits, or empty")
    return written


def _write_base64(value: Any, path: str) -> bytes:
    if type(value) is not str:
        raise Malformed(f"{path} must be base64 text")
    text = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"{path} must be base64 text: {error}") from error


def _write_bool(value: Any, path: str) -> bytes:
    if type(value) is not bool:
        raise Malformed(f"{path} must be true or false")
    return b"\1" if value else b"\0"


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_SMALL: Final = tuple(_encode_varint(value) for value in range(1024))


def _varint(value: int) -> bytes:
    return _SMALL[value] if value < 1024 else _encode_varint(value)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _wire_type(field: FieldDescriptor) -> int:
    if _is_text(field):
        return 2
    if field.type in (
        FieldDescriptor.TYPE_DOUBLE,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
    ):
        return 1
    if field.type in (
        FieldDescriptor.TYPE_FLOAT,
        FieldDescriptor.TYPE_FIXED32,
        FieldDescriptor.TYPE_SFIXED32,
    ):
        return 5
    return 0


def _is_text(field: FieldDescriptor) -> bool:
    return field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


def _is_bool(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_BOOL


def _path(field: FieldDescriptor) -> str:
    message = field.containing_type
    return f"{message.name if message else '?'}.{field.json_name}"


def _message_type(field: FieldDescriptor) -> Descriptor:
    assert field.message_type is not None  # noqa: S101 - asked of message fields only
    return field.message_type
