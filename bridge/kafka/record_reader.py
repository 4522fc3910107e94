"""
Record batches as brokers send them, taken apart: compiled where it can be. Pure.

aiokafka does this with three Python frames and two objects a record, some five times the cost.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.util import decode_varint

from bridge.core import load_compiled
from bridge.kafka.checksum import crc32c

Headers = tuple[tuple[str, bytes | None], ...]

MAGIC = 2
"""The version of the format that is read here; older ones are aiokafka's work."""

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH = struct.Struct(">i")
_LENGTH_AT = 8
_LENGTH_FROM = 12  # Offset and length itself are not counted in the length.
_MAGIC_AT = 16
_CHECKED_FROM = 21  # The checksum covers everything behind it.
_CODEC, _BY_BROKER, _CONTROL = 0x07, 0x08, 0x20  # Bits of the attributes.

_DECOMPRESS = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}


class FetchedRecord(NamedTuple):
    """One record; a `bridge.flow.SourceRecord`."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class BatchHead(NamedTuple):
    """The header of a record batch, and where the batch lies in what was fetched."""

    start: int
    stop: int
    base_offset: int
    magic: int
    checksum: int
    attributes: int
    last_delta: int
    first_timestamp: int
    max_timestamp: int
    records: int

    @property
    def next_offset(self) -> int:
        """The offset after the batch, records that compaction took away included."""
        return self.base_offset + self.last_delta + 1

    @property
    def is_control(self) -> bool:
        """Whether it holds markers of transactions and no data."""
        return bool(self.attributes & _CONTROL)


def batch_heads(data: bytes) -> Iterator[BatchHead]:
    """
    The complete batches in *data*, which brokers cut off anywhere.

    Raises:
        CorruptRecordException: If a length makes no sense.
    """
    at = 0
    while len(data) - at >= _HEADER.size:
        head = _HEADER.unpack_from(data, at)
        stop = at + _LENGTH_FROM + head[1]
        if head[1] < _HEADER.size - _LENGTH_FROM:
            raise CorruptRecordException(f"a record batch of {head[1]} bytes is too small")
        if stop > len(data):
            return
        offset, _, _, magic, checksum, attributes, last, first_ms, last_ms, _, _, _, count = head
        yield BatchHead(
            at, stop, offset, magic, checksum, attributes, last, first_ms, last_ms, count
        )
        at = stop


def is_readable(data: bytes) -> bool:
    """Whether all batches in *data* are of the version that is read here."""
    at = 0
    while len(data) - at > _MAGIC_AT:
        if data[at + _MAGIC_AT] != MAGIC:
            return False
        (length,) = _LENGTH.unpack_from(data, at + _LENGTH_AT)
        at += _LENGTH_FROM + max(0, length)
    return at > 0


def read_batch(
    topic: str, partition: int, data: bytes, head: BatchHead, first_wanted: int
) -> list[FetchedRecord]:
    """
    The records of one batch of *data*, from the offset *first_wanted* on.

    Raises:
        CorruptRecordException: If the checksum does not hold, or the records are none.
        UnsupportedCodecError: If it is compressed in an unknown way.
        Exception: Whatever the codec raises for what it did not write.
    """
    view = memoryview(data)
    if crc32c(view[head.start + _CHECKED_FROM : head.stop]) != head.checksum:
        raise CorruptRecordException(f"invalid checksum at {topic}/{partition}@{head.base_offset}")
    content: bytes | memoryview = view[head.start + _HEADER.size : head.stop]
    number = head.attributes & _CODEC
    if number:
        decompress = _DECOMPRESS.get(number)
        if decompress is None:
            raise UnsupportedCodecError(f"unknown compression codec {number}")
        content = decompress(bytes(content))
    fixed = head.max_timestamp if head.attributes & _BY_BROKER else -1
    where = topic, partition, content, head.records, head.base_offset, head.first_timestamp, fixed
    try:
        if _compiled is None:
            return read_in_python(*where, first_wanted)
        found: list[FetchedRecord] = _compiled.records(FetchedRecord, *where, first_wanted)
        return found
    except (ValueError, IndexError) as error:
        what = f"{topic}/{partition}@{head.base_offset}: {error}"
        raise CorruptRecordException(f"invalid record structure at {what}") from error


def read_in_python(
    topic: str,
    partition: int,
    content: bytes | memoryview,
    count: int,
    base_offset: int,
    base_timestamp: int,
    fixed_timestamp: int,
    first_wanted: int,
) -> list[FetchedRecord]:
    """
    What the compiled form does: the records in decompressed *content*.

    Raises:
        ValueError, IndexError: If they are not what they should be.
    """
    data, at = bytes(content), 0
    found = []
    for _ in range(count):
        length, at = decode_varint(data, at)
        stop = at + length
        if length < 1 or stop > len(data):
            raise ValueError("a record does not fit into its batch")
        timestamp, at = decode_varint(data, at + 1)
        offset, at = decode_varint(data, at)
        key, at = _sized(data, at, stop)
        value, at = _sized(data, at, stop)
        headers, at = _headers(data, at, stop)
        if at != stop:
            raise ValueError("a record is longer than what is in it")
        stamp = fixed_timestamp if fixed_timestamp >= 0 else base_timestamp + timestamp
        if base_offset + offset >= first_wanted:
            place = topic, partition, base_offset + offset, stamp
            found.append(FetchedRecord(*place, key, value, headers))
    if at != len(data):
        raise ValueError("there are bytes behind the last record")
    return found


def _headers(data: bytes, at: int, stop: int) -> tuple[Headers, int]:
    count, at = decode_varint(data, at)
    if not 0 <= count <= (stop - at) // 2:
        raise ValueError("the number of headers makes no sense")
    headers = []
    for _ in range(count):
        name, at = _sized(data, at, stop)
        if name is None:
            raise ValueError("a header has no name")
        content, at = _sized(data, at, stop)
        headers.append((name.decode(), content))
    return tuple(headers), at


def _sized(data: bytes, at: int, stop: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(data, at)
    if length < 0:
        return None, at
    if at + length > stop:
        raise ValueError("a field of a record does not fit into it")
    return data[at : at + length], at + length


_compiled = load_compiled("bridge.kafka")
