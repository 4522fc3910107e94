"""
HPACK's Huffman code, read a byte at a time.

The codes are the `hpack` library's, its table of steps is not: it takes half a MiB. Here the steps
are made of the codes, by half bytes and packed, and those of whole bytes are derived from them when
they first occur: 256 states times 256 bytes at most.
"""

from typing import Final

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

_END_OF_STRING: Final = 256
_COMPLETE, _EMITS, _FAILS = 1, 2, 4
_PADDING_BITS_MAX: Final = 7
_STEP_BYTES: Final = 3
_FAILED: Final = -1

_steps: dict[int, tuple[int, bool, bytes]] = {}
"""(state << 8 | byte) to the next state, whether a text may end there, and what was emitted."""


def packed_steps() -> bytes:
    """
    The code by half bytes, as compiled forms read it.

    Three bytes for each of 256 states and 16 half bytes: the next state; 1 if a text may end there,
    2 if a symbol is emitted, 4 if it is no code; the symbol.
    """
    children, complete = _tree()
    steps = bytearray()
    for state in range(len(children)):
        for nibble in range(16):
            steps += _step(children, complete, state, nibble)
    return bytes(steps)


def _tree() -> tuple[list[list[int]], set[int]]:
    """
    The states by number with where each bit leads, and those in which a text may end.

    A symbol is the complement of its number, so that no state has it.
    """
    children = [[0, 0]]
    complete = {0}
    for symbol, (code, length) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)):
        state = 0
        for read in range(1, length):
            bits = code >> (length - read)
            if not children[state][bits & 1]:
                children.append([0, 0])
                children[state][bits & 1] = len(children) - 1
            state = children[state][bits & 1]
            # What pads the last byte are the first bits of the end of a string: ones.
            if read <= _PADDING_BITS_MAX and bits == (1 << read) - 1:
                complete.add(state)
        children[state][code & 1] = ~symbol
    return children, complete


def _step(children: list[list[int]], complete: set[int], state: int, nibble: int) -> bytes:
    flags, symbol = 0, 0
    for shift in (3, 2, 1, 0):
        state = children[state][nibble >> shift & 1]
        if state < 0:
            # No code is shorter than a half byte: there is at most one.
            flags, symbol, state = _EMITS, ~state, 0
            if symbol == _END_OF_STRING:
                return bytes((0, _FAILS, 0))
    return bytes((state, flags | (state in complete and _COMPLETE), symbol))


STEPS: Final = packed_steps()
"""Made once: it takes 2 ms."""


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
        at = (state * 16 + nibble) * _STEP_BYTES
        state, flags, symbol = STEPS[at : at + _STEP_BYTES]
        if flags & _FAILS:
            return _FAILED, False, b""
        if flags & _EMITS:
            emitted.append(symbol)
    return state, bool(flags & _COMPLETE), bytes(emitted)
