"""
HPACK's Huffman code, read a byte at a time.

The `hpack` library's table goes by half bytes and checks flags at each; here the steps of whole
bytes are derived from it when they first occur: 256 states times 256 bytes at most.
"""

from typing import Final

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import (
    HUFFMAN_COMPLETE,
    HUFFMAN_EMIT_SYMBOL,
    HUFFMAN_FAIL,
    HUFFMAN_TABLE,
)

_FAILED: Final = -1

_steps: dict[int, tuple[int, bool, bytes]] = {}
"""(state << 8 | byte) to the next state, whether a text may end there, and what was emitted."""


def packed_steps() -> bytes:
    """
    The code by half bytes, as compiled forms read it.

    Three bytes for each of 256 states and 16 half bytes: the next state; 1 if a text may end there,
    2 if a symbol is emitted, 4 if it is no code; the symbol.
    """
    steps = bytearray()
    for state, flags, symbol in HUFFMAN_TABLE:
        complete, emits = bool(flags & HUFFMAN_COMPLETE), bool(flags & HUFFMAN_EMIT_SYMBOL)
        fails = bool(flags & HUFFMAN_FAIL)
        steps += bytes((0 if fails else state, complete | emits << 1 | fails << 2, symbol))
    return bytes(steps)


def decode_huffman(text: bytes) -> bytes:
    """
    Undo the Huffman code.

    Raises:
        HPACKDecodingError: If *text* is no valid code, or its padding is not.
    """
    state, complete = 0, True
    out = b""
    for byte in text:
        key = state << 8 | byte
        step = _steps.get(key)
        if step is None:
            step = _steps[key] = _derive(state, byte)
        state, complete, emitted = step
        if state == _FAILED:
            raise HPACKDecodingError("invalid Huffman code")
        out += emitted
    if not complete:
        raise HPACKDecodingError("incomplete Huffman code")
    return out


def _derive(state: int, byte: int) -> tuple[int, bool, bytes]:
    emitted = bytearray()
    flags = 0
    for nibble in (byte >> 4, byte & 0x0F):
        state, flags, symbol = HUFFMAN_TABLE[state * 16 + nibble]
        if flags & HUFFMAN_FAIL:
            return _FAILED, False, b""
        if flags & HUFFMAN_EMIT_SYMBOL:
            emitted.append(symbol)
    return state, bool(flags & HUFFMAN_COMPLETE), bytes(emitted)
