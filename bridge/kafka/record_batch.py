"""Record batches of exact size: what a record adds, and a builder that compresses with a level."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from bridge.kafka.batch_bytes import BATCH_OVERHEAD_BYTES, frame_batch, record_head, zigzag
from bridge.kafka.codecs import COMPRESSED_FROM_BYTES, Codec

Headers = tuple[tuple[str, bytes], ...]
"""Record headers in order; a name may repeat."""

_NO_PRODUCER = (-1, -1, -1)
_VARINT_MAX = 5
_SIZES_KEPT = 1024  # Combinations of headers and limits; a tenant has one.


class OutRecord(NamedTuple):
    """One record to be written. `items` are the spans, points or log records in it."""

    key: bytes | None
    value: bytes
    headers: Headers
    items: int


def batch_size_alone(key: bytes | None, value_bytes: int, headers: Headers) -> int:
    """The exact uncompressed size of a batch that holds one record with a value of that size."""
    body = 3 + _sized(None if key is None else len(key)) + _sized(value_bytes)
    body += len(_encode_headers(headers))
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


class RecordBatch:
    """
    A batch for one partition, never larger than *bytes_max* uncompressed.

    It is what aiokafka's sender expects of a batch builder, made so that the records are copied,
    compressed and checked once: aiokafka's own computes the checksum of what is then compressed,
    and offers no level of compression. It can be built once: to send the same records again, make
    a new one.
    """

    __slots__ = (
        "_buffer",
        "_bytes_max",
        "_codec",
        "_count",
        "_pieces",
        "_producer",
        "_timestamps_ms",
        "uncompressed_bytes",
    )

    def __init__(self, bytes_max: int, codec: Codec | None) -> None:
        self._bytes_max = bytes_max
        self._codec = codec
        self._producer = _NO_PRODUCER
        # What changes: the records in pieces, how many and how large, and what was built of them.
        self._pieces: list[bytes] = []
        self._count = 0
        self._timestamps_ms = 0, 0
        self._buffer: bytes | None = None
        self.uncompressed_bytes = BATCH_OVERHEAD_BYTES

    def add(self, record: OutRecord, timestamp_ms: int) -> bool:
        """Append *record*, unless the batch would exceed its size; says whether it did."""
        first_ms, last_ms = self._timestamps_ms if self._count else (timestamp_ms, timestamp_ms)
        key, value, headers, _ = record
        tail = _encode_headers(headers)
        head = record_head(key, len(value), len(tail), timestamp_ms - first_ms, self._count)
        size = self.uncompressed_bytes + len(head) + len(value) + len(tail)
        if size > self._bytes_max:
            return False
        self._pieces += (head, value, tail)
        self._timestamps_ms = first_ms, max(last_ms, timestamp_ms)
        self._count += 1
        self.uncompressed_bytes = size
        return True

    def record_count(self) -> int:
        """How many records it has."""
        return self._count

    def size(self) -> int:
        """Bytes as they are sent, or before compression while it is not built."""
        return self.uncompressed_bytes if self._buffer is None else len(self._buffer)

    def close(self) -> None:
        """aiokafka says that it will add nothing, which it never does."""

    def closed(self) -> bool:
        """Whether aiokafka may send it without waiting for more."""
        return True

    def _set_producer_state(self, producer_id: int, producer_epoch: int, sequence: int) -> None:
        self._producer = producer_id, producer_epoch, sequence

    def _build(self) -> bytes:
        # aiokafka calls this once it has set the producer's id and sequence number.
        if self._buffer is None:
            records_bytes = self.uncompressed_bytes - BATCH_OVERHEAD_BYTES
            codec = self._codec if records_bytes >= COMPRESSED_FROM_BYTES else None
            attributes, records = _compressed(self._pieces, codec)
            count = self._count
            self._buffer = frame_batch(
                attributes, count, *self._timestamps_ms, *self._producer, records
            )
            self._pieces = []
        return self._buffer


def build_batch(
    records: Sequence[OutRecord], bytes_max: int, codec: Codec | None, timestamp_ms: int
) -> tuple[RecordBatch, int]:
    """A batch with as many of *records* as fit, from the first on, and how many these are."""
    batch = RecordBatch(bytes_max, codec)
    for record in records:
        if not batch.add(record, timestamp_ms):
            break
    return batch, batch.record_count()


def encoded_size(record: OutRecord, codec: Codec | None) -> int:
    """The size of a batch of *record* alone as it goes over the wire, compressed."""
    batch = RecordBatch(1 << 30, codec)
    batch.add(record, 0)
    batch._build()
    return batch.size()


def _compressed(pieces: list[bytes], codec: Codec | None) -> tuple[int, list[bytes]]:
    """The attributes and records of a batch; as they are if compression wins nothing."""
    if codec is None:
        return 0, pieces
    data = b"".join(pieces)
    packed = codec.compress(data)
    return (codec.attributes, [packed]) if len(packed) < len(data) else (0, [data])


@lru_cache(_SIZES_KEPT)
def _encode_headers(headers: Headers) -> bytes:
    out = zigzag(len(headers))
    for name, value in headers:
        text = name.encode()
        out += zigzag(len(text)) + text + zigzag(len(value)) + value
    return out


def _sized(length: int | None) -> int:
    """A length and as many bytes; one byte for null."""
    return 1 if length is None else _varint_size(length) + length


def _varint_size(value: int) -> int:
    """Bytes of a zigzag varint of a number that is not negative."""
    return ((value << 1).bit_length() + 6) // 7 or 1
