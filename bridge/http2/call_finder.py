"""
Calls that have arrived whole: found in what a socket gave, without a step of the state machine.

Most requests come that way: a head in one frame and a message in the frames after it. Everything
else is left to the state machine, which judges it frame by frame.
"""

from typing import Final

from bridge.core import load_compiled
from bridge.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_MAX,
    FRAME_HEAD,
    FRAME_HEAD_BYTES,
    HEADERS,
    STREAM_ID_MAX,
)

PREFIX_BYTES: Final = 5
"""Before each message of gRPC: whether it is compressed, and its length."""

FoundCall = tuple[int, bytes, int, bytes, int, int]
"""
Stream id, header block, 1 if the message is compressed and otherwise 0, the message without its
prefix, and the positions where its DATA frames begin and end.
"""


def find_calls_in_python(
    data: bytes,
    position: int,
    last_id: int,
    count_max: int,
    message_bytes_max: int,
    room_bytes: int,
) -> list[FoundCall]:
    """`find_calls` without the compiled form."""
    if not 0 <= position <= len(data):
        raise ValueError("position is outside of data")
    calls: list[FoundCall] = []
    while len(calls) < count_max:
        head = _frame_at(data, position)
        if head is None:
            break
        kind, flags, stream_id, end = head
        if kind != HEADERS or flags != END_HEADERS or not stream_id & 1 or stream_id <= last_id:
            break
        block = data[position + FRAME_HEAD_BYTES : end]
        found = _message_at(data, end, stream_id, room_bytes)
        if found is None:
            break
        body, stop = found
        compressed, declared_bytes = body[0], int.from_bytes(body[1:PREFIX_BYTES], "big")
        message = body[PREFIX_BYTES:]
        if compressed > 1 or declared_bytes != len(message) or len(message) > message_bytes_max:
            break
        calls.append((stream_id, block, compressed, message, end, stop))
        last_id = stream_id
        room_bytes -= len(body)
        position = stop
    return calls


def _frame_at(data: bytes, position: int) -> tuple[int, int, int, int] | None:
    """Kind, flags, stream id and end of a whole frame that we accept."""
    if len(data) - position < FRAME_HEAD_BYTES:
        return None
    high, low, kind, flags, stream_id = FRAME_HEAD.unpack_from(data, position)
    length = high << 8 | low
    end = position + FRAME_HEAD_BYTES + length
    if length > FRAME_BYTES_MAX or end > len(data):
        return None
    return kind, flags, stream_id & STREAM_ID_MAX, end


def _message_at(
    data: bytes, position: int, stream_id: int, room_bytes: int
) -> tuple[bytes, int] | None:
    """A message with its prefix, if all its frames are there, and where they end."""
    parts: list[bytes] = []
    ended = False
    while not ended:
        found = _frame_at(data, position)
        if found is None:
            return None
        kind, flags, of_stream, end = found
        start = position + FRAME_HEAD_BYTES
        if kind != DATA or of_stream != stream_id or flags & ~END_STREAM or start == end:
            return None
        room_bytes -= end - start
        if room_bytes < 0:
            return None
        parts.append(data[start:end])
        position = end
        ended = bool(flags & END_STREAM)
    body = b"".join(parts)
    return (body, position) if len(body) >= PREFIX_BYTES else None


_compiled = load_compiled("bridge.http2")

find_calls = find_calls_in_python if _compiled is None else _compiled.find_calls
"""
The whole calls that lie in *data* from *position* on, without gaps between them.

Args:
    last_id: Stream ids must be greater than this, and each greater than the one before.
    count_max: How many to find at most.
    message_bytes_max: Of one message, without its prefix.
    room_bytes: Of all messages with their prefixes.

Returns:
    Those before the first frame that is not part of such a call.

Raises:
    ValueError: If *position* is outside of *data*.
"""
