"""Ids, new ones and given ones."""

import os
import time
import uuid
from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get
from bridge.ottl.functions.registry import function, need
from bridge.ottl.signature import Kind
from bridge.ottl.values import ProfileId, SpanId, TraceId


def _id(target: Expression, kind: type[bytes], size: int) -> Get:
    if target.literal:
        try:
            fixed = _to_id(target.value, kind, size)
        except OttlError as error:
            raise ValueError(str(error)) from None
        return lambda cursor: fixed
    read = target.get
    return lambda cursor: _to_id(read(cursor), kind, size)


def _to_id(data: bytes | None, kind: type[bytes], size: int) -> Any:
    given = b"" if data is None else data
    if len(given) == size:
        return kind(given)
    if len(given) == 2 * size:
        try:
            return kind(bytes.fromhex(given.decode("ascii")))
        except ValueError:
            raise OttlError("could not decode ID: invalid hex") from None
    raise OttlError(f"an id has {size} bytes or {2 * size} hex digits, not {len(given)}")


@function("TraceID", need("target", Kind.BYTES_LIKE))
def trace_id(target: Expression) -> Get:
    """The trace id of 16 bytes or 32 hex digits."""
    return _id(target, TraceId, 16)


@function("SpanID", need("target", Kind.BYTES_LIKE))
def span_id(target: Expression) -> Get:
    """The span id of 8 bytes or 16 hex digits."""
    return _id(target, SpanId, 8)


@function("ProfileID", need("target", Kind.BYTES_LIKE))
def profile_id(target: Expression) -> Get:
    """The profile id of 16 bytes or 32 hex digits."""
    return _id(target, ProfileId, 16)


@function("UUID")
def random_uuid() -> Get:
    """A new random UUID."""
    return lambda cursor: str(uuid.uuid4())


@function("UUIDv7")
def timed_uuid() -> Get:
    """A new UUID that begins with the time."""
    return lambda cursor: str(_uuid7())


def _uuid7() -> uuid.UUID:
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


@function("IsRootSpan", contexts=("span",))
def is_root_span() -> Get:
    """Whether the span has no parent."""

    def get(cursor: Cursor) -> bool:
        parent = cursor.item.message.parent_span_id
        return not parent or parent == bytes(8)

    return get
