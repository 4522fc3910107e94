"""gRPC's status codes, and answers as the frames that carry them."""

import base64
from enum import IntEnum
from typing import Final
from urllib.parse import quote_from_bytes

from bridge.http2.header_decoder import Field
from bridge.http2.stream import Response

_CONTENT_TYPE: Final = (b"content-type", b"application/grpc")
_ACCEPT_ENCODING: Final = (b"grpc-accept-encoding", b"identity,gzip,zstd")
_MESSAGE_BYTES_MAX: Final = 1_024
"""Of an error text: header lists must stay far below what clients take (8 KiB in grpc-go)."""


class Code(IntEnum):
    """gRPC status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


def message_response(message: bytes) -> Response:
    """The answer OK with one uncompressed *message*."""
    return Response.of_fields(
        ((b":status", b"200"), _CONTENT_TYPE),
        b"\0" + len(message).to_bytes(4, "big") + message,
        ((b"grpc-status", b"0"),),
    )


def opening_response(message: bytes) -> Response:
    """The begin of an answer of several messages, with the first of them."""
    return Response.of_fields(
        ((b":status", b"200"), _CONTENT_TYPE),
        b"\0" + len(message).to_bytes(4, "big") + message,
        ends=False,
    )


def further_response(message: bytes) -> Response:
    """One more message of an answer that has begun."""
    return Response(b"", b"\0" + len(message).to_bytes(4, "big") + message, ends=False)


def closing_response(code: Code, message: str = "") -> Response:
    """The end of an answer that has begun."""
    status = (b"grpc-status", str(int(code)).encode())
    return Response.of_fields((), b"", (status, (b"grpc-message", _encode_message(message))))


def status_response(code: Code, message: str, details: bytes = b"") -> Response:
    """
    An answer without a message ("trailers only").

    Args:
        details:
            A serialized ``google.rpc.Status``, for `grpc-status-details-bin`.
    """
    fields: list[Field] = [
        (b":status", b"200"),
        _CONTENT_TYPE,
        (b"grpc-status", str(int(code)).encode()),
        (b"grpc-message", _encode_message(message)),
    ]
    if details:
        fields.append((b"grpc-status-details-bin", base64.b64encode(details).rstrip(b"=")))
    if code is Code.UNIMPLEMENTED:
        fields.append(_ACCEPT_ENCODING)
    return Response.of_fields(tuple(fields))


def _encode_message(message: str) -> bytes:
    text = message.encode("utf-8", "replace")[:_MESSAGE_BYTES_MAX]
    # Cutting may have split a character: percent-encoding keeps the header valid anyway.
    safe = "".join(chr(byte) for byte in range(0x20, 0x7F) if byte != 0x25)
    return quote_from_bytes(text, safe=safe).encode("ascii")
