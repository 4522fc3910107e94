"""Who still needs which record: custody and memory of everything that is held, by bytes."""

from bridge.core import DeliveryError
from bridge.processors._gathering.scan import count_spans
from bridge.processors._gathering.trace import HeldBatch, HeldRecord, Parts


class Ledger:
    """
    The account of held batches.

    A batch counts as undecided until the last trace with spans in it was decided, then as
    undelivered until the last sampled one of those was delivered. Its body stays in memory for all
    of that time, so its bytes are counted as a whole.
    """

    def __init__(self) -> None:
        # What changes: bytes and records by state, and what the owner has not been told yet.
        self.undecided_bytes = 0
        self.undelivered_bytes = 0
        self.open_records = 0
        self._finished: dict[HeldBatch, None] = {}
        self._completed: list[HeldBatch] = []

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
        record.open = left = record.open - 1
        if left == record.kept:
            self._decided(record)

    def dropped(self, parts: Parts, spans: int) -> None:
        """The trace with *parts* of so many *spans* was decided and is not sampled."""
        single = spans * 3 == len(parts)
        if not single:
            flat = iter(parts)
            for chunk, start, stop in zip(flat, flat, flat, strict=True):
                chunk[3].dropped += count_spans(chunk[0], start, stop)
        for chunk in parts[::3]:
            record = chunk[3]
            record.dropped += single
            record.open = left = record.open - 1
            if left == record.kept:
                self._decided(record)

    def kept(self, parts: Parts) -> None:
        """The trace with *parts* was decided and is sampled."""
        for chunk in parts[::3]:
            record = chunk[3]
            record.kept = kept = record.kept + 1
            if kept == record.open:
                self._decided(record)

    def delivered(self, parts: Parts) -> None:
        """The sampled trace with *parts* has arrived downstream."""
        for chunk in parts[::3]:
            record = chunk[3]
            record.kept -= 1
            record.open = left = record.open - 1
            if not left:
                self._ended(record)

    def refused(self, parts: Parts, error: DeliveryError) -> None:
        """The sampled trace with *parts* will never be taken downstream, because of *error*."""
        for chunk in parts[::3]:
            chunk[3].error = error
        self.delivered(parts)

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

    def _decided(self, record: HeldRecord) -> None:
        batch = record.batch
        if not batch.forgotten:
            batch.undecided_records -= 1
            if not batch.undecided_records:
                self.undecided_bytes -= batch.charge_bytes
                self.undelivered_bytes += batch.charge_bytes
        if not record.open:
            self._ended(record)

    def _ended(self, record: HeldRecord) -> None:
        batch = record.batch
        if batch.forgotten:
            return
        if record.error is not None:
            batch.error = record.error
        elif record.offset >= 0 and not batch.context:
            batch.finished.append(record.offset)
            if record.dropped:
                batch.dropped[record.offset] = record.dropped
            self._finished[batch] = None
        batch.open_records -= 1
        self.open_records -= 1
        if not batch.open_records:
            self.undelivered_bytes -= batch.charge_bytes
            self._completed.append(batch)
