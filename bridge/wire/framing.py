"""Protobuf framing by hand: the tag and length that stand before a piece of bytes."""

_KEPT_MAX = 65_536  # Entries of one table, some 7 MiB at worst; longer pieces are computed anew.


def varint(value: int) -> bytes:
    """*value* (not negative) as a base-128 varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_size(value: int) -> int:
    """How many bytes `varint` gives for *value*."""
    return (value.bit_length() + 6) // 7 or 1


class Prefixes(dict[int, bytes]):
    """
    The tag of one length-delimited field followed by a length, by that length.

    A table, since a lookup costs a tenth of encoding the varint again for each span.
    """

    def __init__(self, field_number: int) -> None:
        super().__init__()
        self._tag = varint(field_number << 3 | 2)

    def __missing__(self, length: int) -> bytes:
        prefix = self._tag + varint(length)
        if len(self) < _KEPT_MAX:
            self[length] = prefix
        return prefix


# One name for each place of an OTLP request, as in `protos/bridge/wire/_pb/shallow.proto`.
RESOURCE_GROUP = Prefixes(1)
RESOURCE = Prefixes(1)
SCOPE_GROUP = Prefixes(2)
SCOPE = Prefixes(1)
ITEM = Prefixes(2)
SCHEMA_URL = Prefixes(3)
