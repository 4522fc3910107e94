"""
What is held while traces wait, in Python: batches, their records, ranges of bodies, and traces.

`_held.c` has the same compiled, where no collector of cycles has to look at each of them;
`trace.py` gives the one that is in use.
"""

from typing import Any

from bridge.core import DeliveryError

Chunk = tuple[bytes, bytes, bytes, "HeldRecord"]
"""
What ranges of one scope in one record have in common: the body that they are ranges of, the encoded
resource and scope, and the record. A tuple, since one is made for every scope that comes in.
"""

Parts = list[Any]
"""Triples ``chunk, start, stop`` in one flat list: framed spans in ``chunk[0][start:stop]``."""


class BatchCount:
    """
    The records of one batch by what became of them.

    `finished` holds offsets of finished records that the custody was not told of yet, `dropped` how
    many items of which of them fell to a rule. `context` marks records that others have finished
    before: their spans are looked at, and go nowhere. `stirred` is set while the ledger has yet to
    look at what changed, `ended_records` counts those that ended since it last did.
    """

    __slots__ = (
        "context",
        "dropped",
        "ended_records",
        "error",
        "finished",
        "forgotten",
        "open_records",
        "stirred",
        "undecided_records",
    )

    def __init__(self, records: int, context: bool = False) -> None:
        self.context = context
        # What changes.
        self.open_records = records
        self.undecided_records = records
        self.ended_records = 0
        self.finished: list[int] = []
        self.dropped: dict[int, int] = {}
        self.error: DeliveryError | None = None
        self.forgotten = False
        self.stirred = False


Stirred = list[BatchCount]
"""Batches that the ledger has to look at."""


class HeldRecord:
    """
    One Kafka record, or the whole of a batch that has none.

    `open` counts the ranges that are not finished, `kept` those of them whose trace was sampled;
    a record is decided once both are equal, and finished once both are zero. `dropped` counts the
    items that fell to a rule, here or on the way here.
    """

    __slots__ = ("batch", "dropped", "error", "kept", "offset", "open")

    def __init__(self, batch: BatchCount, offset: int, dropped: int = 0) -> None:
        self.batch = batch
        self.offset = offset
        # One more than there are ranges while the record is taken in, so that a trace which is
        # decided meanwhile does not finish it before its last range was seen.
        self.open = 1
        self.kept = 0
        self.dropped = dropped
        self.error: DeliveryError | None = None


class Trace:
    """
    Ranges of spans of one trace. `decided` means that it waits for no decision any more, `context`
    that some of the ranges are of records that are only looked at.
    """

    __slots__ = (
        "context",
        "counts",
        "decided",
        "parts",
        "rooted",
        "size_bytes",
        "spans",
        "trace_id",
    )

    def __init__(self, trace_id: bytes) -> None:
        self.trace_id = trace_id
        # What changes, all of it; `counts` are the spans of each range.
        self.parts: Parts = []
        self.counts: list[int] = []
        self.spans = 0
        self.size_bytes = 0
        self.decided = False
        self.rooted = False
        self.context = False

    def __repr__(self) -> str:
        state = "decided" if self.decided else "undecided"
        return f"Trace({self.trace_id.hex()}, {self.spans} spans, {state})"

    @property
    def ranges(self) -> int:
        """How many ranges there are."""
        return len(self.counts)

    @property
    def own_spans(self) -> int:
        """Spans without those of records that are only looked at."""
        pairs = zip(self.parts[::3], self.counts, strict=True)
        return sum(spans for chunk, spans in pairs if not chunk[3].batch.context)

    def add(self, chunk: Chunk, start: int, stop: int, spans: int) -> bool:
        """
        Add a range of so many spans. Its record does not know of it yet.

        Whether spans of other traces stand between it and the last one, in the same *chunk*.
        """
        interleaved = bool(self.parts) and self.parts[-3] is chunk
        self.parts += (chunk, start, stop)
        self.counts.append(spans)
        self.spans += spans
        self.size_bytes += stop - start
        return interleaved

    def clear(self) -> None:
        """Let go of all ranges; the sizes stay."""
        self.parts, self.counts = [], []

    def split_context(self) -> "Trace":
        """Keep only what may be delivered; what was taken out."""
        parts, counts = self.parts, self.counts
        context = Trace(self.trace_id)
        self.parts, self.counts, self.spans, self.size_bytes, self.context = [], [], 0, 0, False
        flat = iter(parts)
        for chunk, start, stop, spans in zip(flat, flat, flat, counts, strict=True):
            (context if chunk[3].batch.context else self).add(chunk, start, stop, spans)
        return context


def release(record: HeldRecord, stirred: Stirred) -> None:
    """All ranges of *record* were taken in."""
    record.open -= 1
    _moved(record, stirred)


def kept(trace: Trace, stirred: Stirred) -> None:
    """*trace* was decided and is sampled."""
    for chunk in trace.parts[::3]:
        chunk[3].kept += 1
        _moved(chunk[3], stirred)


def dropped(trace: Trace, stirred: Stirred) -> None:
    """*trace* was decided and is not sampled."""
    for chunk, spans in zip(trace.parts[::3], trace.counts, strict=True):
        record = chunk[3]
        record.dropped += spans
        record.open -= 1
        _moved(record, stirred)


def delivered(traces: list[Trace], stirred: Stirred) -> None:
    """
    The sampled *traces* have arrived downstream, and their spans are let go of.

    The error of a record knows the frames that hold its traces: the compiled form would never be
    freed from such a circle, since the cycle collector does not walk it.
    """
    for trace in traces:
        for chunk in trace.parts[::3]:
            record = chunk[3]
            record.kept -= 1
            record.open -= 1
            if not record.open:
                _ended(record, stirred)
        trace.clear()


def _moved(record: HeldRecord, stirred: Stirred) -> None:
    batch = record.batch
    if record.open != record.kept:
        return
    if not batch.forgotten:
        batch.undecided_records -= 1
        if not batch.undecided_records:
            _stir(batch, stirred)
    if not record.open:
        _ended(record, stirred)


def _ended(record: HeldRecord, stirred: Stirred) -> None:
    batch = record.batch
    if batch.forgotten:
        return
    if record.error is not None:
        batch.error = record.error
    elif record.offset >= 0 and not batch.context:
        batch.finished.append(record.offset)
        if record.dropped:
            batch.dropped[record.offset] = record.dropped
    batch.open_records -= 1
    batch.ended_records += 1
    _stir(batch, stirred)


def _stir(batch: BatchCount, stirred: Stirred) -> None:
    if not batch.stirred:
        batch.stirred = True
        stirred.append(batch)
