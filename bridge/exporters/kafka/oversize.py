"""Records that their topic does not take: made smaller, or named to whoever sent them."""

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from bridge.core import Malformed, Signal
from bridge.exporters.kafka.encodings import Encode, Encoded
from bridge.wire import (
    COPIED_BYTES_MAX,
    Allowance,
    Piece,
    parse,
    split_by_items,
    split_by_size,
    split_by_trace_and_size,
    trace_ids,
)


def cut_to_size(
    signal: Signal,
    encode: Encode,
    is_proto: bool,
    by_trace: bool,
    body: bytes,
    bytes_max: int,
    copied_bytes_max: int = COPIED_BYTES_MAX,
) -> tuple[list[tuple[bytes, Encoded]], list[tuple[bytes, Encoded]]]:
    """
    Parts of *body* and the records made of them: with values of *bytes_max* bytes, and larger.

    OTLP protobuf is cut so that records are as full as possible, other encodings in halves until
    they fit, since their size is only known once they are encoded.

    Args:
        by_trace: Keep a trace in one record where it fits into one.
        copied_bytes_max: Bytes by which the parts may exceed *body*.

    Raises:
        Malformed: If *body* cannot be read.
        TooLarge: If the parts would exceed it by more.
    """
    if is_proto:
        split = (
            split_by_size if signal is Signal.METRICS or not by_trace else split_by_trace_and_size
        )
        fitting, oversize = split(signal, body, bytes_max, copied_bytes_max)
        return _as_they_are(fitting), _as_they_are(oversize)
    small: list[tuple[bytes, Encoded]] = []
    large: list[tuple[bytes, Encoded]] = []
    allowance = Allowance(len(body), copied_bytes_max)
    for part, encoded, single in _halve(signal, encode, body, bytes_max, allowance):
        (large if single else small).append((part, encoded))
    return small, large


def describe(signal: Signal, body: bytes) -> str:
    """Whose item *body* holds: its service, and its trace if it has one."""
    try:
        ((_, resource, scopes),) = parse(body)
        service = _service(resource)
        ids = [] if signal is Signal.METRICS else trace_ids(signal, scopes[0][1][:1])
    except (Malformed, ValueError, IndexError):
        return "an unknown service"
    trace = f", trace {ids[0].hex()}" if ids and ids[0] else ""
    return f"service {service}{trace}"


def _as_they_are(pieces: list[Piece]) -> list[tuple[bytes, Encoded]]:
    return [(piece.body, Encoded(piece.body, piece.items)) for piece in pieces]


def _halve(
    signal: Signal, encode: Encode, body: bytes, bytes_max: int, allowance: Allowance
) -> Iterator[tuple[bytes, Encoded, bool]]:
    """Records with whether they are too large nevertheless, since they hold a single item."""
    pending = [body]
    while pending:
        part = pending.pop(0)
        items = sum(count for _, count in split_by_items(signal, part, 1 << 30))
        records = encode(part, items)
        if items <= 1 or all(len(one.value) <= bytes_max for one in records):
            allowance.take(len(part))
        if all(len(one.value) <= bytes_max for one in records):
            for one in records:
                yield part, one, False
        elif items > 1:
            pending = [half for half, _ in split_by_items(signal, part, (items + 1) // 2)] + pending
        else:
            for one in records:
                yield part, one, len(one.value) > bytes_max


def _service(resource: bytes) -> str:
    # Few need it: the messages stay out of a process that never looks into a resource.
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    try:
        attributes = Resource.FromString(resource).attributes
    except DecodeError:
        return "unknown"
    for attribute in attributes:
        if attribute.key == "service.name":
            return str(attribute.value.string_value)
    return "unknown"
