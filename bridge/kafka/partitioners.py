"""
Which partition a key belongs to: the Collector's default hash, the Java client's, and bulk forms.

Everyone who writes to a topic must agree, or the spans of one trace end up on two partitions and
no tail sampler sees the whole of it.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from bridge.wire import (
    fnv1a_32,
    fnv1a_32_many,
    is_trace_id,
    murmur2,
    murmur2_many,
)

Hasher = Literal["sarama_compat", "murmur2"]

_SIGN = 1 << 31


def partition_of(key: bytes, partitions: int, hasher: Hasher) -> int:
    """The partition of one Kafka key among *partitions*."""
    if hasher == "murmur2":
        return (murmur2(key) & (_SIGN - 1)) % partitions
    return _sarama(fnv1a_32(key), partitions)


def trace_partitions(ids: Sequence[bytes], partitions: int, hasher: Hasher) -> list[int]:
    """
    The partition of each raw trace id, by the hash of its key; what names no trace has the key "".

    Each distinct id is hashed once, all of them together.
    """
    distinct = set(ids)
    named = [trace_id for trace_id in distinct if is_trace_id(trace_id)]
    digits = b"".join(named).hex().encode()
    keys = [digits[at : at + 32] for at in range(0, len(digits), 32)]
    table = dict(zip(named, _many(keys, partitions, hasher), strict=True))
    if len(named) != len(distinct):
        nameless = partition_of(b"", partitions, hasher)
        for trace_id in distinct:
            table.setdefault(trace_id, nameless)
    return [table[trace_id] for trace_id in ids]


def placer(partitions: int, hasher: Hasher) -> Callable[[Sequence[bytes]], list[int]]:
    """`trace_partitions` as the `bridge.wire.Place` that splitting wants."""
    return lambda ids: trace_partitions(ids, partitions, hasher)


def _many(keys: list[bytes], partitions: int, hasher: Hasher) -> list[int]:
    if hasher == "murmur2":
        return [(value & (_SIGN - 1)) % partitions for value in murmur2_many(keys)]
    return [_sarama(value, partitions) for value in fnv1a_32_many(keys)]


def _sarama(value: int, partitions: int) -> int:
    # The hash as a signed number, Go's remainder, made positive: the same as abs() first.
    return (value if value < _SIGN else (_SIGN << 1) - value) % partitions
