"""Records that their topic does not take: made smaller, or named to whoever sent them."""

from collections.abc import Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from bridge.core import Malformed, Signal
from bridge.exporters.kafka.encodings import Encode, Encoded
from bridge.wire import Piece, split_by_items, split_by_size, split_by_trace_and_size, trace_ids
from bridge.wire.shallow import parse


def cut_to_size(
    signal: Signal, encode: Encode, is_proto: bool, by_trace: bool, body: bytes, bytes_max: int
) -> tuple[list[tuple[Piece, Encoded]], list[tuple[Piece, Encoded]]]:
    """
    Records of *body* whose values have at most *bytes_max* bytes, and those that cannot.

    OTLP protobuf is cut so that records are as full as possible, other encodings in halves until
    they fit, since their size is only known once they are encoded.

    Args:
        by_trace: Keep a trace in one record where it fits into one.

    Raises:
        Malformed: If *body* cannot be read.
    """
    if is_proto:
        split = (
            split_by_size if signal is Signal.METRICS or not by_trace else split_by_trace_and_size
        )
        fitting, oversize = split(signal, body, bytes_max)
        return _as_they_are(fitting), _as_they_are(oversize)
    small: list[tuple[Piece, Encoded]] = []
    large: list[tuple[Piece, Encoded]] = []
    for piece, encoded, single in _halve(signal, encode, body, bytes_max):
        (large if single else small).append((piece, encoded))
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


def _as_they_are(pieces: list[Piece]) -> list[tuple[Piece, Encoded]]:
    return [(piece, Encoded(piece.body, piece.items)) for piece in pieces]


def _halve(
    signal: Signal, encode: Encode, body: bytes, bytes_max: int
) -> Iterator[tuple[Piece, Encoded, bool]]:
    """Records with whether they are too large nevertheless, since they hold a single item."""
    pending = [body]
    while pending:
        part = pending.pop(0)
        items = sum(count for _, count in split_by_items(signal, part, 1 << 30))
        records = encode(part, items)
        if all(len(one.value) <= bytes_max for one in records):
            for one in records:
                yield Piece(part, one.items), one, False
        elif items > 1:
            pending = [half for half, _ in split_by_items(signal, part, (items + 1) // 2)] + pending
        else:
            for one in records:
                yield Piece(part, one.items), one, len(one.value) > bytes_max


def _service(resource: bytes) -> str:
    try:
        attributes = Resource.FromString(resource).attributes
    except DecodeError:
        return "unknown"
    for attribute in attributes:
        if attribute.key == "service.name":
            return str(attribute.value.string_value)
    return "unknown"
