"""Request heads: the validated fields of a HEADERS block, and response header blocks."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from bridge.http2.frames import ErrorCode, StreamFault
from bridge.http2.header_decoder import Field

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_BAD_VALUE: Final = re.compile(rb"[\x00\r\n]")
_CONNECTION_FIELDS: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
_PSEUDO_FIELDS: Final = frozenset({b":method", b":scheme", b":path", b":authority"})
_CONTENT_LENGTH: Final = re.compile(rb"\d{1,18}")


class Head:
    """
    The head of one request. Shared by all requests of a connection that sent the same fields.

    `fields` are the regular ones, lower-case, in order. `note` belongs to the handler: what it
    worked out of this head once, such as the route. `plain` is the handler's as well: whether it
    has nothing to say to a request of this head but how long its message may be.
    """

    __slots__ = ("authority", "content_length", "fields", "method", "note", "path", "plain")

    def __init__(
        self,
        method: bytes,
        path: bytes,
        authority: bytes,
        fields: tuple[Field, ...],
        content_length: int | None,
    ) -> None:
        self.method = method
        self.path = path
        self.authority = authority
        self.fields = fields
        self.content_length = content_length
        self.note: object = None
        self.plain = False

    def get(self, name: bytes) -> bytes | None:
        """The first value of the field *name*, or `None`."""
        for key, value in self.fields:
            if key == name:
                return value
        return None


def parse_head(stream_id: int, fields: Iterable[Field]) -> Head:
    """
    Check *fields* as RFC 9113 section 8.2 and 8.3 demand of a request.

    Raises:
        StreamFault: PROTOCOL_ERROR, if the request is malformed.
    """
    pseudo: dict[bytes, bytes] = {}
    regular: list[Field] = []
    content_length: int | None = None
    for name, value in fields:
        if name[:1] == b":":
            if regular:
                raise _malformed(stream_id, "pseudo-header after a regular field")
            if name not in _PSEUDO_FIELDS or name in pseudo:
                raise _malformed(stream_id, "unknown or repeated pseudo-header")
            pseudo[name] = value
        else:
            _check_field(stream_id, name, value)
            regular.append((name, value))
            if name == b"content-length":
                content_length = _content_length(stream_id, value, content_length)
        if _BAD_VALUE.search(value):
            raise _malformed(stream_id, "NUL, CR or LF in a field value")
    method, path = pseudo.get(b":method"), pseudo.get(b":path")
    if not method or not path or not pseudo.get(b":scheme"):
        raise _malformed(stream_id, "missing :method, :scheme or :path")
    return Head(method, path, pseudo.get(b":authority", b""), tuple(regular), content_length)


def check_trailers(stream_id: int, fields: Sequence[Field]) -> None:
    """
    Check the trailing fields of a request, which we have no use for.

    Raises:
        StreamFault: PROTOCOL_ERROR, if they are malformed or hold pseudo-headers.
    """
    for name, value in fields:
        _check_field(stream_id, name, value)
    check_values(stream_id, fields)


def check_values(stream_id: int, fields: Iterable[Field]) -> None:
    """
    Check the values of fields whose names are known to be right.

    Raises:
        StreamFault: PROTOCOL_ERROR, if one holds NUL, CR or LF.
    """
    for _, value in fields:
        if _BAD_VALUE.search(value):
            raise _malformed(stream_id, "NUL, CR or LF in a field value")


def encode_fields(fields: Iterable[Field]) -> bytes:
    """
    A header block that uses no dynamic table, so that it is the same on every connection.

    Names must be lower-case; ``:status`` must come first.
    """
    block = bytearray()
    for name, value in fields:
        if (name, value) == (b":status", b"200"):
            block.append(0x88)
            continue
        block.append(0x00)
        for text in (name, value):
            block += _encode_length(len(text)) + text
    return bytes(block)


def _encode_length(length: int) -> bytes:
    if length < 0x7F:
        return bytes((length,))
    encoded, rest = bytearray((0x7F,)), length - 0x7F
    while rest >= 0x80:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def _check_field(stream_id: int, name: bytes, value: bytes) -> None:
    if not _NAME.fullmatch(name):
        raise _malformed(stream_id, "invalid field name")
    if name in _CONNECTION_FIELDS or (name == b"te" and value != b"trailers"):
        raise _malformed(stream_id, "connection-specific field")


def _content_length(stream_id: int, value: bytes, earlier: int | None) -> int:
    if not _CONTENT_LENGTH.fullmatch(value) or earlier not in (None, int(value)):
        raise _malformed(stream_id, "invalid content-length")
    return int(value)


def _malformed(stream_id: int, reason: str) -> StreamFault:
    return StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, reason)
