"""Murmur3 with seed 0, 32 bits and 128 bits (x64)."""

_U32 = 0xFFFFFFFF
_U64 = 0xFFFFFFFFFFFFFFFF


def murmur3_32(data: bytes) -> int:
    """The 32-bit hash."""
    value = 0
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        value ^= _scramble32(int.from_bytes(data[start : start + 4], "little"))
        value = _rotate(value, 13, 32) * 5 + 0xE6546B64 & _U32
    if whole < len(data):
        value ^= _scramble32(int.from_bytes(data[whole:], "little"))
    value ^= len(data)
    value = (value ^ value >> 16) * 0x85EBCA6B & _U32
    value = (value ^ value >> 13) * 0xC2B2AE35 & _U32
    return value ^ value >> 16


def murmur3_128(data: bytes) -> bytes:
    """The 128-bit hash: both halves, each with its low byte first."""
    first = second = 0
    whole = len(data) & ~15
    for start in range(0, whole, 16):
        first ^= _scramble_first(int.from_bytes(data[start : start + 8], "little"))
        first = (_rotate(first, 27, 64) + second) * 5 + 0x52DCE729 & _U64
        second ^= _scramble_second(int.from_bytes(data[start + 8 : start + 16], "little"))
        second = (_rotate(second, 31, 64) + first) * 5 + 0x38495AB5 & _U64
    tail = data[whole:]
    if len(tail) > 8:
        second ^= _scramble_second(int.from_bytes(tail[8:], "little"))
    if tail:
        first ^= _scramble_first(int.from_bytes(tail[:8], "little"))
    first ^= len(data)
    second ^= len(data)
    first = first + second & _U64
    second = second + first & _U64
    first, second = _finish(first), _finish(second)
    first = first + second & _U64
    second = second + first & _U64
    return first.to_bytes(8, "little") + second.to_bytes(8, "little")


def _rotate(value: int, by: int, bits: int) -> int:
    return (value << by | value >> (bits - by)) & ((1 << bits) - 1)


def _scramble32(block: int) -> int:
    return _rotate(block * 0xCC9E2D51 & _U32, 15, 32) * 0x1B873593 & _U32


def _scramble_first(block: int) -> int:
    return _rotate(block * 0x87C37B91114253D5 & _U64, 31, 64) * 0x4CF5AD432745937F & _U64


def _scramble_second(block: int) -> int:
    return _rotate(block * 0x4CF5AD432745937F & _U64, 33, 64) * 0x87C37B91114253D5 & _U64


def _finish(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _U64
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _U64
    return value ^ value >> 33
