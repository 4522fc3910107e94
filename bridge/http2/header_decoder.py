"""
HPACK decoding (RFC 7541) that costs little for the clients we have.

Static table and Huffman code are the `hpack` library's; the loop over the representations and the
dynamic table are ours. Go's encoder adds ``grpc-timeout`` to the table with every request, which
shifts all other indexes: nothing of a block can be cached then, so the loop must be cheap. It is
compiled where that was built.
"""

from types import ModuleType
from typing import Final

from hpack.exceptions import HPACKDecodingError
from hpack.table import HeaderTable

from bridge.core import load_compiled
from bridge.http2.frames import HEADER_TABLE_BYTES, ConnectionFault, ErrorCode
from bridge.http2.huffman import STEPS, decode_huffman

Field = tuple[bytes, bytes]

ENTRY_OVERHEAD_BYTES: Final = 32
"""What RFC 7541 and RFC 9113 add to the name and value of a field for its size."""

_STATIC: Final = HeaderTable.STATIC_TABLE
_DYNAMIC_INDEX_MIN: Final = len(_STATIC) + 1
_INTEGER_SHIFT_MAX: Final = 28
"""Five continuation bytes: nothing that fits a header block is longer."""


_compiled = load_compiled("bridge.http2")


class HeaderDecoder:
    """
    The decoding side of one connection's header compression.

    `version` changes whenever the dynamic table does: the same block decodes to the same fields
    as long as it is the same, and changes nothing, if decoding it once changed nothing.

    Args:
        compiled: The module that decodes; `None` if the Python form shall.
    """

    __slots__ = ("_compiled", "_entries", "_table_bytes", "_table_bytes_max", "version")

    def __init__(self, compiled: ModuleType | None = _compiled) -> None:
        self._compiled = compiled
        self._entries: list[Field] = []  # The newest last.
        self._table_bytes = 0
        self._table_bytes_max = HEADER_TABLE_BYTES
        self.version = 0

    def decode(self, block: bytes) -> list[Field]:
        """
        The fields of one complete header block, in order. Its size is not checked.

        Raises:
            ConnectionFault: COMPRESSION_ERROR. The table can no longer be trusted.
        """
        try:
            compiled = self._compiled
            return self._decode(block) if compiled is None else self._decode_by(compiled, block)
        except (IndexError, ValueError, HPACKDecodingError) as error:
            raise ConnectionFault(
                ErrorCode.COMPRESSION_ERROR, f"undecodable header block: {error}"
            ) from error

    def _decode_by(self, compiled: ModuleType, block: bytes) -> list[Field]:
        known = self.version
        self.version += 1  # If it fails, what the table holds is not known.
        fields: list[Field]
        fields, self._table_bytes, self._table_bytes_max, changes = compiled.decode_block(
            block, self._entries, self._table_bytes, self._table_bytes_max, _STATIC, STEPS
        )
        self.version = known + changes
        return fields

    def _decode(self, block: bytes) -> list[Field]:
        fields: list[Field] = []
        entries = self._entries
        position, size = 0, len(block)
        while position < size:
            first = block[position]
            position += 1
            if first & 0x80:
                index = first & 0x7F
                if index == 0x7F:
                    index, position = _continue_integer(block, position, index)
                if index >= _DYNAMIC_INDEX_MIN:
                    fields.append(entries[self._place(index)])
                elif index:
                    fields.append(_STATIC[index - 1])
                else:
                    raise HPACKDecodingError("index 0")
            elif first & 0x40 or not first & 0x20:
                field, position = self._literal(block, position, first)
                fields.append(field)
            else:
                if fields:
                    raise HPACKDecodingError("table size update after a field")
                position = self._resize(block, position, first)
        return fields

    def _literal(self, block: bytes, position: int, first: int) -> tuple[Field, int]:
        indexed = first & 0x40
        mask = 0x3F if indexed else 0x0F
        index = first & mask
        if index == mask:
            index, position = _continue_integer(block, position, index)
        if index >= _DYNAMIC_INDEX_MIN:
            name = self._entries[self._place(index)][0]
        elif index:
            name = _STATIC[index - 1][0]
        else:
            name, position = _string(block, position)
        value, position = _string(block, position)
        field = (name, value)
        if indexed:
            self._add(field)
        return field, position

    def _place(self, index: int) -> int:
        place = len(self._entries) - 1 - (index - _DYNAMIC_INDEX_MIN)
        if place < 0:
            raise HPACKDecodingError("no such entry")
        return place

    def _add(self, field: Field) -> None:
        self.version += 1
        self._table_bytes += len(field[0]) + len(field[1]) + ENTRY_OVERHEAD_BYTES
        self._entries.append(field)
        # An entry larger than the table empties it, itself included.
        self._evict()

    def _evict(self) -> None:
        while self._table_bytes > self._table_bytes_max:
            name, value = self._entries.pop(0)
            self._table_bytes -= len(name) + len(value) + ENTRY_OVERHEAD_BYTES

    def _resize(self, block: bytes, position: int, first: int) -> int:
        table_bytes = first & 0x1F
        if table_bytes == 0x1F:
            table_bytes, position = _continue_integer(block, position, table_bytes)
        if table_bytes > HEADER_TABLE_BYTES:
            raise HPACKDecodingError(f"table of {table_bytes} bytes, allowed {HEADER_TABLE_BYTES}")
        self.version += 1
        self._table_bytes_max = table_bytes
        self._evict()
        return position


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
