"""From HEADERS and CONTINUATION frames to request heads, remembering what repeats."""

from collections.abc import Sequence

from bridge.http2.frames import (
    END_HEADERS,
    HAS_PRIORITY,
    PADDED,
    STREAM_ID_MAX,
    ConnectionFault,
    ErrorCode,
    StreamFault,
)
from bridge.http2.head import Head, check_values, parse_head
from bridge.http2.header_decoder import ENTRY_OVERHEAD_BYTES, Field, HeaderDecoder
from bridge.http2.limits import Http2Limits


class BlockAssembler:
    """Joins the fragments of one header block; at most one is open on a connection."""

    __slots__ = ("_bytes", "_fragments", "_limits", "_stream_id")

    def __init__(self, limits: Http2Limits) -> None:
        self._limits = limits
        self._fragments: list[bytes] = []
        self._bytes = 0
        self._stream_id = 0

    @property
    def open(self) -> bool:
        """Whether a CONTINUATION must come next."""
        return bool(self._stream_id)

    def begin(self, stream_id: int, flags: int, payload: bytes) -> bytes | None:
        """
        Take a HEADERS frame.

        Returns:
            The block, if this is all of it.

        Raises:
            ConnectionFault: If padding or priority do not fit into the frame.
        """
        if flags & (PADDED | HAS_PRIORITY):
            payload = _strip(stream_id, flags, payload)
        if flags & END_HEADERS:
            return payload
        self._fragments = [payload]
        self._bytes = len(payload)
        self._stream_id = stream_id
        return None

    def proceed(self, stream_id: int, flags: int, payload: bytes) -> bytes | None:
        """
        Take a CONTINUATION frame.

        Raises:
            ConnectionFault: If none is expected on that stream, or the block is over its limits.
        """
        if not self._stream_id or stream_id != self._stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without its HEADERS")
        self._fragments.append(payload)
        self._bytes += len(payload)
        limits = self._limits
        if (
            self._bytes > limits.header_block_bytes_max
            or len(self._fragments) > limits.header_frames_max
        ):
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header block too long")
        if not flags & END_HEADERS:
            return None
        block = b"".join(self._fragments)
        self._fragments = []
        self._stream_id = 0
        return block


class HeadReader:
    """
    Reads header blocks of one connection.

    Two memories, both bounded and cleared when full: blocks whose decoding depends on nothing
    that changed since (`known_blocks`), and heads by their fields, for peers whose blocks always
    differ.
    """

    def __init__(self, limits: Http2Limits, volatile_fields: frozenset[bytes]) -> None:
        self._decoder = HeaderDecoder()
        self._volatile_fields = volatile_fields
        self._list_bytes_max = limits.header_list_bytes_max
        self._cached_heads_max = limits.cached_heads_max
        self.known_blocks: dict[bytes, tuple[Head, tuple[Field, ...]]] = {}
        self._by_fields: dict[tuple[Field, ...], Head] = {}

    def read(self, stream_id: int, block: bytes) -> tuple[Head, tuple[Field, ...]]:
        """
        The head that *block* encodes, and the fields that were kept out of it.

        Raises:
            ConnectionFault: If the block cannot be decoded.
            StreamFault: If the request is malformed or its header list too large.
        """
        known = self.known_blocks.get(block)
        if known is not None:
            return known
        version = self._decoder.version
        fields = self._decode(block)
        names = self._volatile_fields
        volatile = [field for field in fields if field[0] in names]
        for field in volatile:
            fields.remove(field)
        stable = tuple(fields)
        head = self._by_fields.get(stable)
        if head is None:
            self._check_size(stream_id, stable)
            head = parse_head(stream_id, stable)
            if len(self._by_fields) >= self._cached_heads_max:
                self._by_fields.clear()
            self._by_fields[stable] = head
        if volatile:
            self._check_size(stream_id, volatile)
            check_values(stream_id, volatile)
        result = (head, tuple(volatile))
        if self._decoder.version == version:
            if len(self.known_blocks) >= self._cached_heads_max:
                self.known_blocks.clear()
            self.known_blocks[block] = result
        return result

    def read_trailers(self, stream_id: int, block: bytes) -> list[Field]:
        """
        The fields of a block that is no request head.

        Raises:
            ConnectionFault: If the block cannot be decoded.
            StreamFault: If the list is too large.
        """
        fields = self._decode(block)
        self._check_size(stream_id, fields)
        return fields

    def _decode(self, block: bytes) -> list[Field]:
        version = self._decoder.version
        try:
            return self._decoder.decode(block)
        finally:
            if self._decoder.version != version:
                self.known_blocks.clear()

    def _check_size(self, stream_id: int, fields: Sequence[Field]) -> None:
        list_bytes = sum(len(name) + len(value) + ENTRY_OVERHEAD_BYTES for name, value in fields)
        if list_bytes > self._list_bytes_max:
            raise StreamFault(
                stream_id,
                ErrorCode.ENHANCE_YOUR_CALM,
                f"header list of {list_bytes} bytes, allowed are {self._list_bytes_max}",
                # One byte of a block may stand for 4 KiB: decoding it costs more than sending it.
                max(1, list_bytes // (2 * self._list_bytes_max)),
            )


def unpad(data: bytes, start: int, end: int) -> tuple[int, int]:
    """
    The payload's bounds without its padding.

    Raises:
        ConnectionFault: PROTOCOL_ERROR, if the padding is longer than the frame.
    """
    if start == end or data[start] >= end - start:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "padding longer than the frame")
    return start + 1, end - data[start]


def _strip(stream_id: int, flags: int, payload: bytes) -> bytes:
    start, end = 0, len(payload)
    if flags & PADDED:
        start, end = unpad(payload, start, end)
    if flags & HAS_PRIORITY:
        if end - start < 5:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for a priority")
        if int.from_bytes(payload[start : start + 4], "big") & STREAM_ID_MAX == stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "stream depends on itself")
        start += 5
    return payload[start:end]
