"""
Reading the trace ids of many spans at once, exactly, in whatever order their fields come.

SDKs write the trace id first, the Go Collector last, and protobuf allows anything, several
occurrences included (the last one counts). Decoding each span costs 0.7 us in Python. Instead all
spans are joined, with a separator between them that is itself an occurrence of the trace id field
and holds a random value, and the joined bytes are parsed once as "all occurrences of this field":
0.2 us a span.

Why that is exact: if n spans give 2n - 1 occurrences and every second one is the separator, then
all n - 1 separators were read where a field may begin, so every span was read from its start to
its end, and exactly one occurrence lies between each two separators. Anything else (a span without
an id, with two, or with broken framing) is decoded span by span. A sender cannot know the random
value, so it cannot imitate a separator.
"""

import os
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from bridge.core import Malformed, Signal
from bridge.wire._pb.slim_pb2 import LogId, LogIds, SpanId, SpanIds
from bridge.wire.framing import Prefixes

_NONCE = os.urandom(8)
_SPAN_SEPARATOR = Prefixes(1)[len(_NONCE)] + _NONCE
_LOG_SEPARATOR = Prefixes(9)[len(_NONCE)] + _NONCE

TRACE_ID_BYTES = 16
_ZERO_ID = bytes(TRACE_ID_BYTES)


def trace_ids(signal: Signal, items: Sequence[bytes]) -> list[bytes]:
    """
    The trace id of each span or log record, as it stands there: empty if absent, of any length.

    Args:
        signal: TRACES or LOGS.
        items: Encoded spans or log records.

    Raises:
        Malformed: If some item is no valid protobuf.
    """
    if not items:
        return []
    separator = _LOG_SEPARATOR if signal is Signal.LOGS else _SPAN_SEPARATOR
    schema = LogIds if signal is Signal.LOGS else SpanIds
    try:
        found = list(schema.FromString(separator.join(items)).trace_ids)
    except DecodeError:
        return _one_by_one(signal, items)
    separators = len(items) - 1
    if len(found) == 2 * separators + 1 and found[1::2].count(_NONCE) == separators:
        return found[::2]
    return _one_by_one(signal, items)


def is_trace_id(trace_id: bytes) -> bool:
    """Whether it names a trace: 16 bytes that are not all zero."""
    return len(trace_id) == TRACE_ID_BYTES and trace_id != _ZERO_ID


def trace_key(trace_id: bytes) -> bytes:
    """The Kafka key of a trace: 32 lower-case hex digits, or empty for what names no trace."""
    return trace_id.hex().encode() if is_trace_id(trace_id) else b""


def _one_by_one(signal: Signal, items: Sequence[bytes]) -> list[bytes]:
    schema = LogId if signal is Signal.LOGS else SpanId
    try:
        return [schema.FromString(item).trace_id for item in items]
    except DecodeError as error:
        noun = signal.items.removesuffix("s").replace("_", " ")
        raise Malformed(f"a {noun} is no valid protobuf") from error
