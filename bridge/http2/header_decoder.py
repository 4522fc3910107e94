"""
HPACK decoding (RFC 7541) that costs little for the clients we have.

The table, its eviction and the Huffman code are the `hpack` library's; only the loop over the
representations is ours. Go's encoder adds ``grpc-timeout`` to the table with every request, which
shifts all other indexes: nothing of a block can be cached then, so the loop itself must be cheap.
"""

from collections import deque
from typing import Final

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from bridge.http2.frames import HEADER_TABLE_BYTES, ConnectionFault, ErrorCode

Field = tuple[bytes, bytes]

_STATIC: Final = HeaderTable.STATIC_TABLE
_STATIC_COUNT: Final = len(_STATIC)
_ENTRY_OVERHEAD_BYTES: Final = 32
_INTEGER_SHIFT_MAX: Final = 28
"""Five continuation bytes: nothing that fits a header block is longer."""


class HeaderListTooLarge(Exception):
    """The block was decoded (the table is intact), but its fields exceed the limit."""


class HeaderDecoder:
    """
    The decoding side of one connection's header compression.

    `version` changes whenever the dynamic table does: the same block decodes to the same fields
    as long as it is the same, and changes nothing, if decoding it once changed nothing.
    """

    __slots__ = ("_entries", "_list_bytes_max", "_table", "version")

    def __init__(self, list_bytes_max: int) -> None:
        self._table = HeaderTable()
        self._entries = self._table.dynamic_entries
        self._list_bytes_max = list_bytes_max
        self.version = 0

    def decode(self, block: bytes) -> list[Field]:
        """
        The fields of one complete header block, in order.

        Raises:
            ConnectionFault: COMPRESSION_ERROR. The table can no longer be trusted.
            HeaderListTooLarge: If names, values and 32 bytes a field exceed the limit.
        """
        try:
            return self._decode(block)
        except (IndexError, HPACKDecodingError) as error:
            raise ConnectionFault(
                ErrorCode.COMPRESSION_ERROR, f"undecodable header block: {error}"
            ) from error

    def _decode(self, block: bytes) -> list[Field]:
        fields: list[Field] = []
        entries = self._entries
        list_bytes, position, size = 0, 0, len(block)
        while position < size:
            first = block[position]
            if first & 0x80:
                index = first & 0x7F
                position += 1
                if index == 0x7F:
                    index, position = _continue_integer(block, position, index)
                field = _STATIC[index - 1] if 0 < index <= _STATIC_COUNT else _entry(entries, index)
            elif first & 0x40 or not first & 0x20:
                field, position = self._literal(block, position, first)
            else:
                if fields:
                    raise HPACKDecodingError("table size update after a field")
                position = self._resize(block, position, first)
                continue
            list_bytes += len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD_BYTES
            # Goes on without keeping fields: later blocks depend on the table being complete.
            if list_bytes <= self._list_bytes_max:
                fields.append(field)
        if list_bytes > self._list_bytes_max:
            raise HeaderListTooLarge(
                f"header list of {list_bytes} bytes, allowed are {self._list_bytes_max}"
            )
        return fields

    def _literal(self, block: bytes, position: int, first: int) -> tuple[Field, int]:
        indexed = bool(first & 0x40)
        mask = 0x3F if indexed else 0x0F
        index = first & mask
        position += 1
        if index == mask:
            index, position = _continue_integer(block, position, index)
        if index:
            known = _STATIC[index - 1] if index <= _STATIC_COUNT else _entry(self._entries, index)
            name = known[0]
        else:
            name, position = _string(block, position)
        value, position = _string(block, position)
        if indexed:
            self._table.add(name, value)
            self.version += 1
        return (name, value), position

    def _resize(self, block: bytes, position: int, first: int) -> int:
        table_bytes = first & 0x1F
        position += 1
        if table_bytes == 0x1F:
            table_bytes, position = _continue_integer(block, position, table_bytes)
        if table_bytes > HEADER_TABLE_BYTES:
            raise HPACKDecodingError(f"table of {table_bytes} bytes, allowed {HEADER_TABLE_BYTES}")
        self._table.maxsize = table_bytes
        self.version += 1
        return position


def _entry(entries: deque[Field], index: int) -> Field:
    position = index - _STATIC_COUNT - 1
    if position < 0:
        raise HPACKDecodingError("index 0")
    return entries[position]


def _continue_integer(block: bytes, position: int, value: int) -> tuple[int, int]:
    shift = 0
    while True:
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
        if shift > _INTEGER_SHIFT_MAX:
            raise HPACKDecodingError("run-away integer")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    first = block[position]
    length = first & 0x7F
    position += 1
    if length == 0x7F:
        length, position = _continue_integer(block, position, length)
    end = position + length
    if end > len(block):
        raise HPACKDecodingError("truncated string")
    text = block[position:end]
    return (decode_huffman(text) if first & 0x80 else text), end
