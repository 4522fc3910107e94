"""Undoing gzip, deflate and zstd under a cap, however the sender made them."""

import zlib
from collections.abc import Callable
from typing import Final

import zstandard

from bridge.core import Malformed, TooLarge

_PIECE_BYTES: Final = 1 << 20
"""Output is made in pieces of this size, so that memory is charged before it is filled."""

_ZLIB_WBITS: Final = {"gzip": 31, "deflate": 15, "zlib": 15}
"""The largest window, with the header that each name means."""

_ZSTD_WINDOW_BYTES_MAX: Final = 8 << 20
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"
_ZSTD_CHECKSUM_BYTES: Final = 4
_ZSTD_BLOCK_BYTES_MAX: Final = 128 << 10

Charge = Callable[[int], None]
"""Called with the bytes about to be kept; may raise to refuse them."""


def decompress(encoding: str, data: bytes, limit_bytes: int, charge: Charge) -> bytes:
    """
    Undo *encoding*: ``gzip``, ``zstd``, or ``deflate`` and its other name ``zlib``.

    Args:
        limit_bytes:
            Most bytes the result may have.
        charge:
            Called before each piece of output is kept.

    Raises:
        Malformed: If *data* is not what *encoding* says, or ends early.
        TooLarge: If the result exceeds *limit_bytes*; at most that and one piece were made.
        LookupError: If the encoding is none of these.
    """
    if encoding in _ZLIB_WBITS:
        return _inflate(encoding, data, limit_bytes, charge)
    if encoding == "zstd":
        return _unzstd(data, limit_bytes, charge)
    raise LookupError(encoding)


def _inflate(encoding: str, data: bytes, limit_bytes: int, charge: Charge) -> bytes:
    if not data:
        raise Malformed(f"the {encoding} body is empty")
    pieces: list[bytes] = []
    kept_bytes = 0
    rest = data
    while rest:
        # Gzip members may follow one another.
        member = zlib.decompressobj(_ZLIB_WBITS[encoding])
        while not member.eof:
            try:
                piece = member.decompress(rest, _PIECE_BYTES)
            except zlib.error as error:
                raise Malformed(f"the body is no valid {encoding}: {error}") from error
            rest = member.unconsumed_tail
            if not piece and not rest and not member.eof:
                raise Malformed(f"the {encoding} body ends early")
            kept_bytes += len(piece)
            _keep(pieces, piece, kept_bytes, limit_bytes, charge)
        rest = member.unused_data
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _unzstd(data: bytes, limit_bytes: int, charge: Charge) -> bytes:
    expected_bytes_max = _measure_zstd(data)
    pieces: list[bytes] = []
    kept_bytes = 0
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
    piece_bytes = min(_PIECE_BYTES, expected_bytes_max + 1)
    try:
        with decompressor.stream_reader(data, read_across_frames=True) as reader:
            while piece := reader.read(piece_bytes):
                kept_bytes += len(piece)
                _keep(pieces, piece, kept_bytes, limit_bytes, charge)
    except zstandard.ZstdError as error:
        raise Malformed(f"the body is no valid zstd: {error}") from error
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _measure_zstd(data: bytes) -> int:
    """
    Walk the frames without decompressing: the library's reader takes truncated data for complete.

    Returns:
        The most bytes the result can have.
    """
    position, bytes_max = 0, 0
    if not data:
        raise Malformed("the zstd body is empty")
    while position < len(data):
        if data[position + 1 : position + 4] == _ZSTD_SKIPPABLE and data[position] >> 4 == 5:
            size = int.from_bytes(data[position + 4 : position + 8], "little")
            position += 8 + size
        elif data[position : position + 4] == _ZSTD_MAGIC:
            position, frame_bytes_max = _measure_frame(data, position)
            bytes_max += frame_bytes_max
        else:
            raise Malformed("the body is no valid zstd: unknown frame")
    if position > len(data):
        raise Malformed("the zstd body ends early")
    return bytes_max


def _measure_frame(data: bytes, position: int) -> tuple[int, int]:
    try:
        # A slice, since the functions only look at the beginning; a header has at most 18 bytes.
        header = data[position : position + 18]
        parameters = zstandard.get_frame_parameters(header)
        position += zstandard.frame_header_size(header)
    except zstandard.ZstdError as error:
        raise Malformed(f"the body is no valid zstd: {error}") from error
    if parameters.window_size > _ZSTD_WINDOW_BYTES_MAX:
        raise Malformed(
            f"the zstd window of {parameters.window_size} bytes is larger than "
            f"{_ZSTD_WINDOW_BYTES_MAX}: compress without long-distance matching"
        )
    blocks, last = 0, 0
    while not last:
        if position + 3 > len(data):
            raise Malformed("the zstd body ends early")
        head = int.from_bytes(data[position : position + 3], "little")
        last, kind, size = head & 1, head >> 1 & 3, head >> 3
        position += 3 + (1 if kind == 1 else size)
        blocks += 1
    if parameters.has_checksum:
        position += _ZSTD_CHECKSUM_BYTES
    return position, blocks * _ZSTD_BLOCK_BYTES_MAX


def _keep(
    pieces: list[bytes], piece: bytes, kept_bytes: int, limit_bytes: int, charge: Charge
) -> None:
    if kept_bytes > limit_bytes:
        raise TooLarge(f"the body decompresses to more than {limit_bytes} bytes")
    charge(len(piece))
    pieces.append(piece)
