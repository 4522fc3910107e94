"""Splitting requests by the number of their items, and by their size in bytes."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from bridge.core import Signal
from bridge.wire.allowance import COPIED_BYTES_MAX, Allowance
from bridge.wire.count import count_encoded_points
from bridge.wire.metric_points import split_points
from bridge.wire.pieces import Filling, piece_size
from bridge.wire.shallow import encode_resource, encode_scope, parse
from bridge.wire.split import Piece, split_by_trace
from bridge.wire.trace_ids import is_trace_id

_Located = tuple[tuple[int, int], tuple[bytes, bytes], bytes | None]
"""Numbers of resource and scope (-1: none), their heads, and an item; `None` for an empty one."""


def split_by_items(
    signal: Signal, body: bytes, items_max: int, copied_bytes_max: int = COPIED_BYTES_MAX
) -> list[tuple[bytes, int]]:
    """
    Requests of at most *items_max* spans, data points or log records, with their numbers.

    Data points of one metric are spread over several requests where needed. Empty resources and
    scopes stay where they stood.

    Args:
        items_max: At least 1.

    Raises:
        Malformed: If the framing is broken down to the items, or to the points of a metric.
        TooLarge: If the pieces would exceed *body* by more than *copied_bytes_max* bytes.
    """
    allowance = Allowance(len(body), copied_bytes_max)
    pieces: list[Piece] = []
    filling = Filling(len(body))
    for where, heads, item in _walk(body):
        for part, weight in _parts(signal, item, items_max - filling.weight, items_max):
            if filling.weight + weight > items_max and not filling.empty:
                pieces.append(filling.take())
                allowance.take(len(pieces[-1].body))
            filling.add(where, heads, part, weight)
    if not filling.empty:
        pieces.append(filling.take())
    return [(piece.body, piece.items) for piece in pieces]


def split_by_size(
    signal: Signal, body: bytes, bytes_max: int, copied_bytes_max: int = COPIED_BYTES_MAX
) -> tuple[list[Piece], list[Piece]]:
    """
    Requests of at most *bytes_max* bytes, in order, and what does not fit.

    Returns:
        The requests; and requests that hold a single span, log record or data point each and
        exceed *bytes_max* nevertheless. A metric that exceeds it without its points stays whole.

    Raises:
        Malformed: If the framing is broken down to the items, or to the points of a metric.
        TooLarge: If the pieces would exceed *body* by more than *copied_bytes_max* bytes.
    """
    allowance = Allowance(len(body), copied_bytes_max)
    fitting: list[Piece] = []
    oversize: list[Piece] = []
    filling = Filling(bytes_max)
    for where, heads, item in _walk(body):
        weight = _weight(signal, item)
        if filling.size + filling.cost(where, heads, item) > bytes_max and not filling.empty:
            fitting.append(filling.take())
            allowance.take(len(fitting[-1].body))
        if filling.cost(where, heads, item) <= bytes_max:
            filling.add(where, heads, item, weight)
        elif item is not None:
            # The bound of an empty filling is a few bytes above the truth: look again, exactly.
            _place_alone(signal, heads, item, _Alone(bytes_max, fitting, oversize, allowance))
    if not filling.empty:
        fitting.append(filling.take())
    return fitting, oversize


def split_by_trace_and_size(
    signal: Signal, body: bytes, bytes_max: int, copied_bytes_max: int = COPIED_BYTES_MAX
) -> tuple[list[Piece], list[Piece]]:
    """
    `split_by_size`, but a trace is spread over several requests only if it is too large alone.

    Empty resources and scopes are dropped, and items without a trace id are on their own.

    Raises:
        Malformed: If the framing is broken down to the items or in an item.
        TooLarge: If the pieces would exceed *body* by more than *copied_bytes_max* bytes, or those
            of one trace exceed it by as many once more.
    """
    traces: dict[bytes, list[tuple[bytes, int]]] = {}
    for number, piece in enumerate(split_by_trace(signal, body, copied_bytes_max)):
        key = piece.trace_id if is_trace_id(piece.trace_id) else b"%d" % number
        traces.setdefault(key, []).append((piece.body, piece.items))
    fitting: list[Piece] = []
    oversize: list[Piece] = []
    open_bodies: list[bytes] = []
    open_size = open_items = 0
    for parts in traces.values():
        size, items = sum(len(part) for part, _ in parts), sum(count for _, count in parts)
        if open_bodies and open_size + size > bytes_max:
            fitting.append(Piece(b"".join(open_bodies), open_items))
            open_bodies, open_size, open_items = [], 0, 0
        if size > bytes_max:
            whole = b"".join(part for part, _ in parts)
            some, rest = split_by_size(signal, whole, bytes_max, copied_bytes_max)
            fitting += some
            oversize += rest
            continue
        open_bodies += [part for part, _ in parts]
        open_size += size
        open_items += items
    if open_bodies:
        fitting.append(Piece(b"".join(open_bodies), open_items))
    return fitting, oversize


def _walk(body: bytes) -> Iterator[_Located]:
    for resource_number, (resource_head, _, scopes) in enumerate(parse(body)):
        if not scopes:
            yield (resource_number, -1), (resource_head, b""), None
        for scope_number, (scope_head, items) in enumerate(scopes):
            where, heads = (resource_number, scope_number), (resource_head, scope_head)
            if not items:
                yield where, heads, None
            for item in items:
                yield where, heads, item


def _weight(signal: Signal, item: bytes | None) -> int:
    if item is None:
        return 0
    return count_encoded_points(item) if signal is Signal.METRICS else 1


def _parts(
    signal: Signal, item: bytes | None, room: int, items_max: int
) -> Iterator[tuple[bytes | None, int]]:
    """*item* as it is, or a metric in as many parts as *room* and then *items_max* demand."""
    weight = _weight(signal, item)
    if item is None or weight <= max(room, 1):
        yield item, weight
        return
    yield from split_points(item, first=room or items_max, others=items_max)


class _Alone(NamedTuple):
    """Where items go that fill a request each."""

    bytes_max: int
    fitting: list[Piece]
    oversize: list[Piece]
    allowance: Allowance


def _place_alone(signal: Signal, heads: tuple[bytes, bytes], item: bytes, alone: _Alone) -> None:
    weight = _weight(signal, item)
    size = piece_size(*heads, item)
    if size > alone.bytes_max and weight > 1 and not _is_hopeless(heads, item, alone.bytes_max):
        half = (weight + 1) // 2
        for part, _ in split_points(item, first=half, others=half):
            _place_alone(signal, heads, part, alone)
        return
    alone.allowance.take(size)
    piece = Piece(encode_resource(heads[0], (encode_scope(heads[1], (item,)),)), weight)
    (alone.fitting if len(piece.body) <= alone.bytes_max else alone.oversize).append(piece)


def _is_hopeless(heads: tuple[bytes, bytes], metric: bytes, bytes_max: int) -> bool:
    """Whether *metric* is too large without any point: each part of it would be."""
    ((pointless, _),) = islice(split_points(metric, first=0, others=1), 1)
    return piece_size(*heads, pointless) > bytes_max
