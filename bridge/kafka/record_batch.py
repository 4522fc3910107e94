"""Record batches of exact size: what a record adds, and a builder that compresses with a level."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from bridge.kafka.codecs import Codec

Headers = tuple[tuple[str, bytes], ...]
"""Record headers in order; a name may repeat."""

BATCH_OVERHEAD_BYTES = 61
"""The header of a record batch, KIP-98's format 2."""

_LENGTH_AT = 8
_CRC_AT = 17
_ATTRIBUTES_AT = 21
_LENGTH_FROM = 12
_CODEC_MASK = 0x07
_VARINT_MAX = 5
_SIZES_KEPT = 1024  # Combinations of headers and limits; a tenant has one.


@dataclass(frozen=True, slots=True)
class OutRecord:
    """One record to be written. `items` are the spans, points or log records in it."""

    key: bytes | None
    value: bytes
    headers: Headers
    items: int


def batch_size_alone(key: bytes | None, value_bytes: int, headers: Headers) -> int:
    """The exact uncompressed size of a batch that holds one record with a value of that size."""
    body = 3 + _sized(None if key is None else len(key)) + _sized(value_bytes)
    body += _headers_size(headers)
    return BATCH_OVERHEAD_BYTES + _varint_size(body) + body


def value_bytes_max(key: bytes | None, headers: Headers, batch_bytes_max: int) -> int:
    """How large a value may be so that a batch of that record alone does not exceed the limit."""
    return _value_bytes_max(-1 if key is None else len(key), headers, batch_bytes_max)


@lru_cache(_SIZES_KEPT)
def _value_bytes_max(key_bytes: int, headers: Headers, batch_bytes_max: int) -> int:
    key = None if key_bytes < 0 else bytes(key_bytes)
    room = batch_bytes_max - batch_size_alone(key, 0, headers)
    # Longer values need longer lengths, twice: of the value and of the record.
    for lengths in range(2 * _VARINT_MAX):
        value_bytes = room - lengths
        if value_bytes < 0:
            return 0
        if batch_size_alone(key, value_bytes, headers) <= batch_bytes_max:
            return value_bytes
    return 0


class RecordBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka is not annotated
    """
    A batch for one partition, never larger than *bytes_max* uncompressed.

    It can be built once: to send the same records again, make a new one.
    """

    _buffer: bytearray | bytes | None

    def __init__(self, bytes_max: int, codec: Codec | None) -> None:
        super().__init__(bytes_max, 0)
        self._bytes_max = bytes_max
        self._codec = codec
        self.uncompressed_bytes = 0

    def add(self, record: OutRecord, timestamp_ms: int) -> bool:
        """Append *record*, unless the batch would exceed its size; says whether it did."""
        if not self.record_count() and (
            batch_size_alone(record.key, len(record.value), record.headers) > self._bytes_max
        ):
            return False  # aiokafka takes the first record whatever its size.
        metadata = self.append(
            timestamp=timestamp_ms,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
        )
        return metadata is not None

    def _build(self) -> bytearray | bytes:
        # aiokafka calls this once it has set the producer's id and sequence number.
        if self._buffer is not None:
            return self._buffer
        built: bytearray = super()._build()
        self.uncompressed_bytes = len(built)
        self._buffer = built if self._codec is None else compressed(built, self._codec)
        return self._buffer


def build_batch(
    records: Sequence[OutRecord], bytes_max: int, codec: Codec | None, timestamp_ms: int
) -> tuple[RecordBatch, int]:
    """A batch with as many of *records* as fit, from the first on, and how many these are."""
    batch = RecordBatch(bytes_max, codec)
    for number, record in enumerate(records):
        if not batch.add(record, timestamp_ms):
            return batch, number
    return batch, len(records)


def encoded_size(record: OutRecord, codec: Codec | None) -> int:
    """The size of a batch of *record* alone as it goes over the wire, compressed."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, 0, 1 << 30)
    builder.append(0, 0, key=record.key, value=record.value, headers=list(record.headers))
    built = builder.build()
    return len(built if codec is None else compressed(built, codec))


def compressed(batch: bytearray, codec: Codec) -> bytearray | bytes:
    """*batch*, built without compression, with its records compressed; as it is if none is won."""
    packed = codec.compress(bytes(memoryview(batch)[BATCH_OVERHEAD_BYTES:]))
    size = BATCH_OVERHEAD_BYTES + len(packed)
    if size >= len(batch):
        return batch
    head = bytearray(memoryview(batch)[:BATCH_OVERHEAD_BYTES])
    struct.pack_into(">i", head, _LENGTH_AT, size - _LENGTH_FROM)
    head[_ATTRIBUTES_AT + 1] = head[_ATTRIBUTES_AT + 1] & ~_CODEC_MASK | codec.attributes
    out = head + packed
    struct.pack_into(">I", out, _CRC_AT, calc_crc32c(memoryview(out)[_ATTRIBUTES_AT:]))
    return out


@lru_cache(_SIZES_KEPT)
def _headers_size(headers: Headers) -> int:
    size = _varint_size(len(headers))
    for name, value in headers:
        size += _sized(len(name.encode())) + _sized(len(value))
    return size


def _sized(length: int | None) -> int:
    """A length and as many bytes; one byte for null."""
    return 1 if length is None else _varint_size(length) + length


def _varint_size(value: int) -> int:
    """Bytes of a zigzag varint of a number that is not negative."""
    return ((value << 1).bit_length() + 6) // 7 or 1
