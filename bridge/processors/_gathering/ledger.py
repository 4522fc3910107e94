"""Who still needs which record: custody and memory of everything that is held, by bytes."""

from bridge.core import DeliveryError
from bridge.processors._gathering.trace import HeldBatch, HeldRecord, Stirred, Trace, moves


class Ledger:
    """
    The account of held batches.

    A batch counts as undecided until the last trace with spans in it was decided, then as
    undelivered until the last sampled one of those was delivered. Its body stays in memory for all
    of that time, so its bytes are counted as a whole, with what is kept of its records.
    """

    def __init__(self) -> None:
        # What changes: bytes and records by state, what the owner has not been told yet, and the
        # batches whose records ended since we last looked.
        self.undecided_bytes = 0
        self.undelivered_bytes = 0
        self.open_records = 0
        self._finished: dict[HeldBatch, None] = {}
        self._completed: list[HeldBatch] = []
        self.stirred: Stirred = []

    def __repr__(self) -> str:
        return (
            f"Ledger({self.undecided_bytes} bytes undecided, "
            f"{self.undelivered_bytes} undelivered, {self.open_records} records)"
        )

    def open(self, batch: HeldBatch, charge_bytes: int) -> None:
        """Take *batch* in, before any of its records is released."""
        batch.charge_bytes = charge_bytes
        self.undecided_bytes += charge_bytes
        self.open_records += batch.open_records

    def charge(self, batch: HeldBatch, more_bytes: int) -> None:
        """Add what was found to be needed for *batch*, which may be decided meanwhile."""
        if batch.forgotten or not batch.open_records:
            return
        batch.charge_bytes += more_bytes
        if batch.undecided_records:
            self.undecided_bytes += more_bytes
        else:
            self.undelivered_bytes += more_bytes

    def release(self, record: HeldRecord) -> None:
        """All ranges of *record* were taken in."""
        moves.release(record, self.stirred)
        self.look()

    def dropped(self, trace: Trace) -> None:
        """*trace* was decided and is not sampled."""
        moves.dropped(trace, self.stirred)
        self.look()

    def kept(self, trace: Trace) -> None:
        """*trace* was decided and is sampled."""
        moves.kept(trace, self.stirred)
        self.look()

    def delivered(self, *traces: Trace) -> None:
        """The sampled *traces* have arrived downstream."""
        moves.delivered(list(traces), self.stirred)
        self.look()

    def refused(self, trace: Trace, error: DeliveryError) -> None:
        """The sampled *trace* will never be taken downstream, because of *error*."""
        for chunk in trace.parts[::3]:
            chunk[3].error = error
        self.delivered(trace)

    def forget(self, batch: HeldBatch) -> None:
        """Somebody else answers for *batch* now; what happens to its spans no longer counts."""
        if batch.forgotten or not batch.open_records:
            return
        batch.forgotten = True
        if batch.undecided_records:
            self.undecided_bytes -= batch.charge_bytes
        else:
            self.undelivered_bytes -= batch.charge_bytes
        self.open_records -= batch.open_records
        self._finished.pop(batch, None)

    def take_finished(self) -> list[HeldBatch]:
        """Batches whose `finished` offsets grew since the last call."""
        finished = list(self._finished)
        self._finished.clear()
        return finished

    def take_completed(self) -> list[HeldBatch]:
        """Batches of which nothing is held any more, once."""
        completed, self._completed = self._completed, []
        return completed

    def look(self) -> None:
        """Enter what became of the records of stirred batches; to be called after each move."""
        if not self.stirred:
            return
        for batch in self.stirred:
            batch.stirred = False
            if isinstance(batch, HeldBatch) and not batch.forgotten:
                self._enter(batch)
        self.stirred.clear()

    def _enter(self, batch: HeldBatch) -> None:
        self.open_records -= batch.ended_records
        batch.ended_records = 0
        if batch.finished:
            self._finished[batch] = None
        if not batch.undecided_records and not batch.decided:
            batch.decided = True
            self.undecided_bytes -= batch.charge_bytes
            self.undelivered_bytes += batch.charge_bytes
        if not batch.open_records:
            self.undelivered_bytes -= batch.charge_bytes
            self._completed.append(batch)
