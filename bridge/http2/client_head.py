"""Header blocks of a client's requests, and what is checked of an answer's."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from bridge.http2.frames import ErrorCode, StreamFault
from bridge.http2.head import check_values
from bridge.http2.header_decoder import Field

_ENTRIES_CACHED_MAX: Final = 256
"""Fields of a request hardly change from call to call; their encoding is looked up."""

_OPEN: Final = frozenset(
    {b"te", b"content-type", b"user-agent", b"grpc-accept-encoding", b"grpc-encoding"}
    | {b"grpc-timeout", b":method", b":scheme", b":path", b":authority"}
)
"""What is no secret. Everything else asks whoever passes it on never to index it."""

_LITERAL, _NEVER_INDEXED = 0x00, 0x10


def encode_request(fields: Iterable[Field]) -> bytes:
    """A header block without the dynamic table. Pseudo-headers come first, names in lower case."""
    return b"".join(
        [
            _encode_open(name, value) if name in _OPEN else _encode(_NEVER_INDEXED, name, value)
            for name, value in fields
        ]
    )


def take_fields(stream_id: int, fields: Sequence[Field], into: dict[bytes, bytes]) -> None:
    """
    Check the fields of an answer and put them into *into*; of several the last one counts.

    Raises:
        StreamFault: PROTOCOL_ERROR, if a value holds what no value may.
    """
    check_values(stream_id, fields)
    into.update(fields)


def status_of(stream_id: int, fields: Sequence[Field]) -> int:
    """
    The HTTP status of an answer's first block.

    Raises:
        StreamFault: PROTOCOL_ERROR, if there is none.
    """
    if not fields or fields[0][0] != b":status" or not fields[0][1].isdigit():
        raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "answer without :status")
    return int(fields[0][1])


@lru_cache(_ENTRIES_CACHED_MAX)
def _encode_open(name: bytes, value: bytes) -> bytes:
    return _encode(_LITERAL, name, value)


def _encode(kind: int, name: bytes, value: bytes) -> bytes:
    return bytes((kind,)) + _sized(name) + _sized(value)


def _sized(text: bytes) -> bytes:
    length = len(text)
    if length < 0x7F:
        return bytes((length,)) + text
    encoded, rest = bytearray((0x7F,)), length - 0x7F
    while rest >= 0x80:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded) + text
