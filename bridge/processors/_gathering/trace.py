"""What is held while traces wait: batches, their records, ranges of their bodies, and traces."""

from typing import Any

from bridge.core import Custody, DeliveryError
from bridge.processors._gathering.scan import count_spans

Chunk = tuple[bytes, bytes, bytes, "HeldRecord"]
"""
What ranges of one scope in one record have in common: the body that they are ranges of, the encoded
resource and scope, and the record. A tuple, since one is made for every scope that comes in.
"""

Parts = list[Any]
"""
Triples ``chunk, start, stop`` in one flat list: framed spans in ``chunk[0][start:stop]``.

Flat, since a tuple for each range would take 64 bytes more, and there is one for every few spans.
"""


class HeldBatch:
    """
    One delivered batch, until everything in it was dropped by a policy or delivered.

    `finished` holds offsets of finished records that `custody` was not told of yet, `dropped` how
    many items of which of them fell to a rule. `waiter` is
    whatever the stage hangs on it to learn of the end. `context` marks records that others have
    finished before: their spans are looked at, and go nowhere.
    """

    __slots__ = (
        "charge_bytes",
        "context",
        "custody",
        "dropped",
        "error",
        "finished",
        "forgotten",
        "open_records",
        "undecided_records",
        "waiter",
    )

    def __init__(self, custody: Custody | None, records: int, *, context: bool = False) -> None:
        self.custody = custody
        self.context = context
        # What changes.
        self.charge_bytes = 0
        self.open_records = records
        self.undecided_records = records
        self.finished: list[int] = []
        self.dropped: dict[int, int] = {}
        self.error: DeliveryError | None = None
        self.forgotten = False
        self.waiter: Any = None


class HeldRecord:
    """
    One Kafka record, or the whole of a batch that has none.

    `open` counts the ranges that are not finished, `kept` those of them whose trace was sampled;
    a record is decided once both are equal, and finished once both are zero. `dropped` counts the
    items that fell to a rule, here or on the way here.
    """

    __slots__ = ("batch", "dropped", "error", "kept", "offset", "open")

    def __init__(self, batch: HeldBatch, offset: int, dropped: int = 0) -> None:
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

    __slots__ = ("context", "decided", "parts", "rooted", "size_bytes", "spans", "trace_id")

    def __init__(self, trace_id: bytes) -> None:
        self.trace_id = trace_id
        # What changes, all of it.
        self.parts: Parts = []
        self.spans = 0
        self.size_bytes = 0
        self.decided = False
        self.rooted = False
        self.context = False

    def __repr__(self) -> str:
        state = "decided" if self.decided else "undecided"
        return f"Trace({self.trace_id.hex()}, {self.spans} spans, {state})"

    @property
    def own_spans(self) -> int:
        """Spans without those of records that are only looked at."""
        if not self.context:
            return self.spans
        flat = iter(self.parts)
        return sum(
            count_spans(chunk[0], start, stop)
            for chunk, start, stop in zip(flat, flat, flat, strict=True)
            if not chunk[3].batch.context
        )

    def split_context(self) -> Parts:
        """Keep only what may be delivered; what was taken out."""
        own: Parts = []
        context: Parts = []
        flat = iter(self.parts)
        for part in zip(flat, flat, flat, strict=True):
            (body, _, _, record), start, stop = part
            if record.batch.context:
                context += part
                self.spans -= count_spans(body, start, stop)
                self.size_bytes -= stop - start
            else:
                own += part
        self.parts, self.context = own, False
        return context
