"""
Splitting requests by trace, by partition and by resource.

Every piece is a whole request again: it carries a copy of the envelopes its items came in, as far
as an `Allowance` for these copies goes. Nothing is decoded but the trace ids. Items keep their
order within an envelope.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from bridge.core import Malformed, Permanent, Signal, TooLarge
from bridge.wire.allowance import COPIED_BYTES_MAX, Allowance
from bridge.wire.framing import ITEM, SCOPE_GROUP
from bridge.wire.shallow import Resource, encode_resource, encode_scope, parse
from bridge.wire.trace_ids import trace_ids

Place = Callable[[Sequence[bytes]], Iterable[int]]
"""The partition of each of several raw trace ids, in order."""


class Piece(NamedTuple):
    """A request cut out of another one, and how many items it holds."""

    body: bytes
    items: int


class TracePiece(NamedTuple):
    """The spans or log records of one trace id from one scope of one resource."""

    trace_id: bytes
    body: bytes
    items: int


def split_by_trace(
    signal: Signal, body: bytes, copied_bytes_max: int = COPIED_BYTES_MAX
) -> list[TracePiece]:
    """
    One piece for each resource, scope and trace id, as the Collector writes its records.

    Resources and scopes without items give none. Ids stay as they are: items without one share
    the empty id. Pieces come in the order in which their first items do.

    Raises:
        Malformed: If the framing is broken down to the items or in an item.
        TooLarge: If the pieces would exceed *body* by more than *copied_bytes_max* bytes.
    """
    allowance = Allowance(len(body), copied_bytes_max)
    pieces: list[TracePiece] = []
    for resource_head, _, scopes in parse(body):
        for scope_head, items in scopes:
            by_trace: dict[bytes, list[bytes]] = {}
            for item, trace_id in zip(items, trace_ids(signal, items), strict=True):
                by_trace.setdefault(trace_id, []).append(item)
            for trace_id, own in by_trace.items():
                scope = encode_scope(scope_head, own)
                piece = encode_resource(resource_head, (scope,))
                allowance.take(len(piece))
                pieces.append(TracePiece(trace_id, piece, len(own)))
    return pieces


def split_by_partition(
    signal: Signal, body: bytes, place: Place, copied_bytes_max: int = COPIED_BYTES_MAX
) -> dict[int, Piece]:
    """
    One piece for each partition that some trace of *body* belongs to.

    Raises:
        Malformed: If the framing is broken down to the items or in an item.
        TooLarge: If the pieces would exceed *body* by more than *copied_bytes_max* bytes.
    """
    (pieces,) = split_many_by_partition(signal, (body,), place, copied_bytes_max)
    if isinstance(pieces, Permanent):
        raise pieces
    return pieces


def split_many_by_partition(
    signal: Signal,
    bodies: Sequence[bytes],
    place: Place,
    copied_bytes_max: int = COPIED_BYTES_MAX,
) -> list[dict[int, Piece] | Permanent]:
    """
    `split_by_partition` of each body, with the ids of all read and placed at once.

    Returns:
        One entry for each body, in order: its pieces, or why it has none. One broken body does
        not touch its neighbours.
    """
    parsed = [_parse_or_error(body) for body in bodies]
    items: list[bytes] = []
    for resources in parsed:
        if not isinstance(resources, Malformed):
            for _, _, scopes in resources:
                for _, own in scopes:
                    items += own
    try:
        places = iter(place(trace_ids(signal, items)))
    except Malformed as error:
        if len(bodies) == 1:
            return [error]
        # Some item is broken, and only decoding each body by itself tells whose it is.
        return [
            split_many_by_partition(signal, (body,), place, copied_bytes_max)[0] for body in bodies
        ]
    return [
        resources
        if isinstance(resources, Malformed)
        else _regroup(resources, places, Allowance(len(body), copied_bytes_max))
        for body, resources in zip(bodies, parsed, strict=True)
    ]


def split_by_resource(body: bytes) -> list[tuple[bytes, bytes]]:
    """
    One request for each resource, together with its encoded ``Resource`` message.

    Resources without items are kept.

    Raises:
        Malformed: If the framing is broken down to the items.
    """
    return [
        (
            resource,
            encode_resource(
                head, [encode_scope(scope_head, items) for scope_head, items in scopes]
            ),
        )
        for head, resource, scopes in parse(body)
    ]


def _parse_or_error(body: bytes) -> list[Resource] | Malformed:
    try:
        return parse(body)
    except Malformed as error:
        return error


def _regroup(
    resources: list[Resource], places: Iterator[int], allowance: Allowance
) -> dict[int, Piece] | TooLarge:
    """All places of the request are taken, also when its pieces are given up."""
    excess: TooLarge | None = None
    bodies: dict[int, list[bytes]] = {}
    counts: dict[int, int] = {}
    for resource_head, _, scopes in resources:
        encoded: dict[int, list[bytes]] = {}
        for scope_head, items in scopes:
            # zip asks for the item first, so that it takes no place too many from the iterator.
            own_items = list(zip(items, places))  # noqa: B905 - places goes on behind this scope
            if excess is None:
                excess = _place_items(scope_head, own_items, encoded, counts, allowance)
        for partition, own in encoded.items():
            if excess is None:
                excess = _taken(allowance, len(resource_head))
            if excess is None:
                bodies.setdefault(partition, []).append(encode_resource(resource_head, own))
    if excess is not None:
        return excess
    return {partition: Piece(b"".join(own), counts[partition]) for partition, own in bodies.items()}


def _place_items(
    head: bytes,
    items: list[tuple[bytes, int]],
    encoded: dict[int, list[bytes]],
    counts: dict[int, int],
    allowance: Allowance,
) -> TooLarge | None:
    """Add one scope for each partition among *items* to *encoded*, and the numbers to *counts*."""
    own: dict[int, list[bytes]] = {}
    for item, partition in items:
        try:
            parts = own[partition]
        except KeyError:
            parts = own[partition] = [head]
        parts.append(ITEM[len(item)])
        parts.append(item)
    for partition, parts in own.items():
        content = b"".join(parts)
        if (excess := _taken(allowance, len(content))) is not None:
            return excess
        encoded.setdefault(partition, []).append(SCOPE_GROUP[len(content)] + content)
        counts[partition] = counts.get(partition, 0) + len(parts) // 2
    return None


def _taken(allowance: Allowance, piece_bytes: int) -> TooLarge | None:
    try:
        allowance.take(piece_bytes)
    except TooLarge as error:
        return error
    return None
