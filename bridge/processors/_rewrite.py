"""
Changing a batch's bytes while its Kafka records stay told apart.

A batch from Kafka is several records behind each other, each a whole request. A stage that finishes
records one by one (the tail sampler) needs to know which bytes are whose, so each record is changed
on its own and its new place is noted.
"""

from collections.abc import Callable
from dataclasses import replace

from bridge.core import Batch, Record

Change = Callable[[bytes], tuple[bytes, int]]
"""
From a request's bytes to the changed bytes and by how many items their number grew.

The very same object says that nothing changed; empty bytes that nothing is left.
"""


def rewrite(batch: Batch, change: Change) -> Batch | None:
    """
    The batch with changed bytes.

    Returns:
        The same batch if nothing changed, `None` if nothing is left of it.
    """
    records = batch.origin.records
    if not records:
        body, growth = change(batch.body)
        if body is batch.body:
            return batch
        return batch.with_body(body, batch.items + growth) if body else None
    pieces: list[bytes] = []
    placed: list[Record] = []
    start, growth, changed = 0, 0, False
    for record in records:
        piece = batch.body[record.body_start : record.body_stop]
        new, more = change(piece)
        changed |= new is not piece
        growth += more
        pieces.append(new)
        # A record of which nothing is left stays listed with no bytes: it still has to be finished.
        dropped = record.dropped_items + max(0, -more)
        stop = start + len(new)
        placed.append(Record(record.offset, record.timestamp_ms, start, stop, dropped))
        start += len(new)
    if not changed:
        return batch
    if start == 0:
        return None
    new_batch = batch.with_body(b"".join(pieces), batch.items + growth)
    return replace(new_batch, origin=replace(batch.origin, records=tuple(placed)))
