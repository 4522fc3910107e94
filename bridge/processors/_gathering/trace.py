"""What is held while traces wait: batches, and records and traces in the form that is in use."""

from typing import TYPE_CHECKING, Any

from bridge.core import Custody
from bridge.processors._gathering import plain
from bridge.processors._gathering.native import compiled
from bridge.processors._gathering.plain import Chunk, Parts, Stirred

if TYPE_CHECKING or compiled is None:
    from bridge.processors._gathering.plain import BatchCount, HeldRecord, Trace

    moves = plain
else:
    BatchCount, HeldRecord, Trace = compiled.BatchCount, compiled.HeldRecord, compiled.Trace
    moves = compiled

__all__ = ["BatchCount", "Chunk", "HeldBatch", "HeldRecord", "Parts", "Stirred", "Trace", "moves"]


class HeldBatch(BatchCount):
    """
    One delivered batch, until everything in it was dropped by a policy or delivered.

    `waiter` is whatever the stage hangs on it to learn of the end. `decided` is set once the
    ledger has seen that none of its records is undecided.
    """

    __slots__ = ("charge_bytes", "custody", "decided", "waiter")

    def __init__(self, custody: Custody | None, records: int, *, context: bool = False) -> None:
        super().__init__(records, context)
        self.custody = custody
        # What changes.
        self.charge_bytes = 0
        self.decided = False
        self.waiter: Any = None
