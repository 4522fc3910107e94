"""Splitting requests by the partitions of their traces: compiled where it can be."""

from collections.abc import Callable, Sequence

from bridge.core import Permanent, Signal
from bridge.kafka.partitioners import Hasher, placer
from bridge.wire import COPIED_BYTES_MAX, Piece, is_trace_id, native, split_many_by_partition

_KEYLESS = -1


def split_joined(
    signal: Signal,
    bodies: list[bytes],
    owners: list[native.Owner],
    partitions: int,
    hasher: Hasher,
    *,
    bytes_max: int,
    nameless: int | None = None,
    copied_bytes_max: int = COPIED_BYTES_MAX,
) -> list[native.Shared[native.Owner]] | None:
    """
    The pieces of all *bodies* together, by the partition that their traces hash to.

    Args:
        owners: One for each body; each piece says whose shares it holds.
        bytes_max: Pieces grow up to this size; only one body's share alone may exceed it.
        nameless: As for `split_for_partitions`.
        copied_bytes_max: Bytes by which all pieces together may exceed all bodies.

    Returns:
        `None` if that cannot be done at once: `split_for_partitions` says what of which body.
    """
    found = native.split_many(
        signal,
        bodies,
        owners,
        partitions,
        murmur2=hasher == "murmur2",
        bytes_max=bytes_max,
        copied_bytes_max=copied_bytes_max,
    )
    if not found or found[0][0] != _KEYLESS:
        return found
    if nameless is None:
        return None
    return [
        (nameless if where == _KEYLESS else where, piece, items, shares)
        for where, piece, items, shares in found
    ]


def split_for_partitions(
    signal: Signal,
    bodies: Sequence[bytes],
    partitions: int,
    hasher: Hasher,
    *,
    nameless: int | None = None,
    copied_bytes_max: int = COPIED_BYTES_MAX,
) -> list[dict[int, Piece] | Permanent]:
    """
    The pieces of each body by the partition that its traces hash to.

    Args:
        signal: TRACES or LOGS.
        nameless:
            Where log records go that name no trace; `None` hashes the empty key. Spans that name
            none always hash it, as the Collector does.
        copied_bytes_max:
            Bytes by which the pieces of one body may exceed it, since each repeats its envelopes.

    Returns:
        One entry for each body, in order: its pieces, or why it has none.
    """
    results: list[dict[int, Piece] | Permanent] = []
    left: list[int] = []
    for number, body in enumerate(bodies):
        pieces = _compiled(signal, body, partitions, hasher, nameless, copied_bytes_max)
        results.append({} if pieces is None else pieces)
        if pieces is None:
            left.append(number)
    if left:
        place = _placer(signal, partitions, hasher, nameless)
        again = split_many_by_partition(
            signal, [bodies[number] for number in left], place, copied_bytes_max
        )
        for number, found in zip(left, again, strict=True):
            results[number] = found
    return results


def _compiled(
    signal: Signal,
    body: bytes,
    partitions: int,
    hasher: Hasher,
    nameless: int | None,
    copied_bytes_max: int,
) -> dict[int, Piece] | Permanent | None:
    murmur2 = hasher == "murmur2"
    try:
        found = native.split(
            signal, body, partitions, murmur2=murmur2, copied_bytes_max=copied_bytes_max
        )
    except Permanent as error:
        return error
    if found is None or (nameless is None and any(where == _KEYLESS for where, _, _ in found)):
        return None
    pieces: dict[int, Piece] = {}
    for where, piece, items in found:
        partition = nameless if where == _KEYLESS and nameless is not None else where
        earlier = pieces.get(partition)
        if earlier is None:
            pieces[partition] = Piece(piece, items)
        else:
            pieces[partition] = Piece(earlier.body + piece, earlier.items + items)
    return pieces


def _placer(
    signal: Signal, partitions: int, hasher: Hasher, nameless: int | None
) -> Callable[[Sequence[bytes]], list[int]]:
    place = placer(partitions, hasher)
    if nameless is None or signal is Signal.TRACES:
        return place
    return lambda ids: [
        partition if is_trace_id(trace_id) else nameless
        for trace_id, partition in zip(ids, place(ids), strict=True)
    ]
