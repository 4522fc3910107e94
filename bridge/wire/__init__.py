"""
OTLP bytes, handled without decoding what need not be looked at.

Pure functions: counting, joining, splitting, reading trace ids, and the hashes that Kafka keys and
partitions are made of. Broken input raises `bridge.core.Malformed`, and what grows too
large when it is cut `bridge.core.TooLarge`; nothing else.
"""

from bridge.wire.allowance import COPIED_BYTES_MAX, Allowance
from bridge.wire.count import count_items, count_many
from bridge.wire.framing import varint
from bridge.wire.freed_memory import keep_freed_memory
from bridge.wire.hashes import fnv1a_32, fnv1a_32_many, murmur2, murmur2_many
from bridge.wire.join import join
from bridge.wire.limits import ITEMS_MAX, VALUE_DEPTH_LIMIT, VALUE_DEPTH_MAX, RequestLimits
from bridge.wire.map_hash import resource_key
from bridge.wire.shallow import parse
from bridge.wire.split import (
    Piece,
    Place,
    TracePiece,
    split_by_partition,
    split_by_resource,
    split_by_trace,
    split_many_by_partition,
)
from bridge.wire.split_size import split_by_items, split_by_size, split_by_trace_and_size
from bridge.wire.trace_ids import is_trace_id, trace_ids, trace_key

__all__ = [
    # Whole requests.
    "count_items",
    "count_many",
    "join",
    "parse",
    "RequestLimits",
    "ITEMS_MAX",
    "VALUE_DEPTH_MAX",
    "VALUE_DEPTH_LIMIT",
    # What stands before a piece of bytes.
    "varint",
    # The memory that they take.
    "keep_freed_memory",
    # Cutting them.
    "Allowance",
    "COPIED_BYTES_MAX",
    "Piece",
    "TracePiece",
    "Place",
    "split_by_trace",
    "split_by_partition",
    "split_many_by_partition",
    "split_by_resource",
    "split_by_items",
    "split_by_size",
    "split_by_trace_and_size",
    # Trace ids and keys.
    "trace_ids",
    "is_trace_id",
    "trace_key",
    "resource_key",
    # Hashes.
    "fnv1a_32",
    "fnv1a_32_many",
    "murmur2",
    "murmur2_many",
]
