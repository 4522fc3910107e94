"""Converters between encodings."""

import base64
import binascii
import codecs
from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get
from bridge.ottl.functions.registry import function, maybe, need
from bridge.ottl.regex import to_bytes, to_text
from bridge.ottl.signature import Kind
from bridge.ottl.values import a_type

_VARIANTS = {
    "base64": (b"+/", True),
    "base64-raw": (b"+/", False),
    "base64-url": (b"-_", True),
    "base64-raw-url": (b"-_", False),
}


def encode64(data: bytes, variant: str) -> str:
    """
    *data* in one of the four variants of base64.

    Raises:
        OttlError: If there is no such variant.
    """
    if variant not in _VARIANTS:
        raise OttlError(f"base64 variant {variant!r} is none of {', '.join(_VARIANTS)}")
    letters, padded = _VARIANTS[variant]
    text = base64.b64encode(data, letters).decode()
    return text if padded else text.rstrip("=")


def decode64(data: bytes, variant: str) -> bytes:
    """
    The bytes behind base64.

    Raises:
        OttlError: If *data* is none.
    """
    letters, padded = _VARIANTS[variant]
    data = data.replace(b"\r", b"").replace(b"\n", b"")
    if not padded:
        if b"=" in data:
            raise OttlError("base64 without padding may hold no '='")
        data += b"=" * (-len(data) % 4)
    other = b"-_" if letters == b"+/" else b"+/"
    if any(letter in data for letter in other):
        raise OttlError("illegal base64 data")
    try:
        return base64.b64decode(data, letters, validate=True)
    except binascii.Error as error:
        raise OttlError(f"illegal base64 data: {error}") from None


@function("Base64Decode", need("target", Kind.STRING))
def base64_decode(target: Expression) -> Get:
    """The text behind base64."""
    return lambda cursor: to_text(decode64(to_bytes(target.get(cursor)), "base64"))


@function("Base64Encode", need("target", Kind.STRING), maybe("variant", Kind.STRING))
def base64_encode(target: Expression, variant: Expression | None = None) -> Get:
    """The text in base64, or base64-raw, base64-url, base64-raw-url."""

    def get(cursor: Cursor) -> str:
        text = target.get(cursor)
        return encode64(to_bytes(text), variant.get(cursor) if variant else "base64")

    return get


@function("Decode", need("target", Kind.VALUE), need("encoding", Kind.STRING))
def decode(target: Expression, encoding: Expression) -> Get:
    """The text behind base64 (four variants) or a character encoding."""
    if encoding.literal and encoding.value not in _VARIANTS:
        _codec(encoding.value)

    def get(cursor: Cursor) -> str:
        value = target.get(cursor)
        name = encoding.get(cursor)
        if type(value) is str:
            data = to_bytes(value)
        elif type(value) is bytes:
            data = value
        else:
            raise OttlError(f"{a_type(value)} cannot be decoded")
        if name in _VARIANTS:
            return to_text(decode64(data, name))
        return _decode_text(data, name)

    return get


_RAW = frozenset({"", "nop", "utf8-raw", "utf-8-raw"})
_OTHER_NAMES = {"utf8": "utf-8", "utf16": "utf-16-le", "utf-16": "utf-16-le"}
_OTHER_NAMES |= {"ascii": "utf-8", "us-ascii": "utf-8"}


def _codec(name: str) -> Any:
    """The codec of an IANA name; `None` for the names that mean bytes as they are."""
    lowered = name.lower()
    if lowered in _RAW:
        return None
    try:
        codec = codecs.lookup(_OTHER_NAMES.get(lowered, lowered))
    except LookupError:
        raise ValueError(f"encoding {name!r} is not known") from None
    if not codec._is_text_encoding:
        raise ValueError(f"encoding {name!r} is no encoding of text")
    return codec


def _decode_text(data: bytes, name: str) -> str:
    try:
        codec = _codec(name)
    except ValueError as error:
        raise OttlError(str(error)) from None
    if codec is None:
        return to_text(data)
    text: str = codec.decode(data, "replace")[0]
    return text
