"""The bytes around the records of a batch, KIP-98's format 2: compiled where it can be. Pure."""

import struct
from collections.abc import Callable

from bridge.core import load_compiled
from bridge.kafka.checksum import crc32c
from bridge.wire import varint

BATCH_OVERHEAD_BYTES = 61
"""The header of a record batch."""

_HEAD = struct.Struct(">qiibI")
_REST = struct.Struct(">hiqqqhii")
_MAGIC = 2
_REST_AT = 21  # What the checksum covers begins here, with the attributes.
_LENGTH_FROM = 12  # What the length counts begins here.
_NULL = b"\x01"  # The length of null.

RecordHead = Callable[[bytes | None, int, int, int, int], bytes]
FrameBatch = Callable[[int, int, int, int, int, int, int, list[bytes]], bytes]


def zigzag(value: int) -> bytes:
    """*value* as a zigzag varint."""
    value = value << 1 if value >= 0 else (-value << 1) - 1
    return _ONE_BYTE[value] if value < 0x80 else varint(value)


_ONE_BYTE = [bytes((value,)) for value in range(0x80)]


def head_in_python(
    key: bytes | None, value_bytes: int, tail_bytes: int, delta_ms: int, number: int
) -> bytes:
    """
    All of a record before its value.

    Args:
        tail_bytes: What follows the value: the headers with their number.
        delta_ms: Milliseconds after the batch's first timestamp.
        number: Of the record in its batch, from 0 on.
    """
    head = b"\x00" + zigzag(delta_ms) + zigzag(number)
    head += _NULL if key is None else zigzag(len(key)) + key
    head += zigzag(value_bytes)
    return zigzag(len(head) + value_bytes + tail_bytes) + head


def frame_in_python(
    attributes: int,
    count: int,
    first_ms: int,
    last_ms: int,
    producer_id: int,
    producer_epoch: int,
    sequence: int,
    pieces: list[bytes],
) -> bytes:
    """The batch whose *count* records are *pieces* one after the other, with its checksum."""
    out = bytearray().join((bytes(BATCH_OVERHEAD_BYTES), *pieces))
    producer = producer_id, producer_epoch, sequence
    _REST.pack_into(out, _REST_AT, attributes, count - 1, first_ms, last_ms, *producer, count)
    checksum = crc32c(memoryview(out)[_REST_AT:])
    _HEAD.pack_into(out, 0, 0, len(out) - _LENGTH_FROM, -1, _MAGIC, checksum)
    return bytes(out)


def choose() -> tuple[RecordHead, FrameBatch]:
    """The fastest that work here; ``OTLP_BRIDGE_PURE=1`` asks for those in Python."""
    compiled = load_compiled("bridge.kafka")
    if compiled is None:
        return head_in_python, frame_in_python
    try:
        compiled.crc32c(b"")
    except NotImplementedError:  # The processor has no instruction for the checksum.
        return compiled.record_head, frame_in_python
    return compiled.record_head, compiled.frame_batch


record_head, frame_batch = choose()
