"""Taking batches in: each record at its own time, each range of spans to its trace."""

from collections.abc import Collection
from typing import Any

from google.protobuf.message import DecodeError

from bridge.core import Batch, Malformed, Record
from bridge.processors._gathering.deciding import Decider
from bridge.processors._gathering.decision import Decision
from bridge.processors._gathering.lane import NEVER, Lane, Waits
from bridge.processors._gathering.native import compiled
from bridge.processors._gathering.scan import scan
from bridge.processors._gathering.schema import PARENT_IDS
from bridge.processors._gathering.trace import Chunk, HeldBatch, HeldRecord, Trace

RANGE_BYTES, TRACE_BYTES = 100, 280
"""
What a range and a trace cost beside the bytes of the spans, measured with `tracemalloc`: three list
slots and one or two ints; the object, its list, its id, its places in a dict and in a queue. The
compiled form takes less: room for three ranges is part of the object.
"""

BATCH_BYTES, WAITER_BYTES, RECORD_BYTES = 450, 4_500, 230
"""
What a batch costs beside its body, measured alike: its books here; with custody the task, the
coroutines and the chunk of the source that wait for it; and each record of it, in all the books
that know of it. A source that brings few spans at a time holds more of this than of spans.
"""

_DONE, _DUE, _QUEUE, _FOLLOW, _OUTGROWN = range(5)
"""Why the compiled form stops: it is done, or something is to be done before it goes on."""

_ID_BYTES = 16
_ZERO_ID = bytes(_ID_BYTES)

Found = tuple[bytes, tuple[Record, ...], Any]
"""A body, its records and the scopes in it, or a `Found` of the compiled form."""


class Intake:
    """
    Adds what arrives to the traces of a lane.

    Args:
        ingest:
            Whether the spans of each record are also judged by themselves when they come.
    """

    def __init__(self, decider: Decider, waits: Waits, *, ingest: bool) -> None:
        self._decider = decider
        self._telemetry = decider.telemetry
        self._rooted = 0 < waits.rooted_ms < waits.decision_ms
        self._ingest = ingest
        bounds = decider.bounds
        self._trace_bytes = min(bounds.trace_bytes_max or NEVER, bounds.trace_bytes_early)
        # What changes: how many traces ever began, which orders them; and, while a record is taken,
        # how many parts and spans its traces had before.
        self._began = 0
        self._touched: dict[Trace, tuple[int, int]] = {}

    def find(self, batch: Batch, *, context: bool) -> Found:
        """
        Look at a batch without taking it.

        Raises:
            Malformed: If its framing is broken.
        """
        found = None
        if compiled is not None and not (context or self._rooted or self._ingest):
            try:
                found = compiled.find(batch.body)
            except ValueError as error:
                raise Malformed("the OTLP request is no valid protobuf") from error
        return batch.body, batch.origin.records, scan(batch.body) if found is None else found

    @staticmethod
    def cost_bytes(held: HeldBatch, found: Found) -> int:
        """What is held as long as anything of a batch is, whatever is found in it."""
        body, records, _ = found
        if held.custody is None or held.context:
            return len(body) + BATCH_BYTES
        return len(body) + BATCH_BYTES + WAITER_BYTES + len(records) * RECORD_BYTES

    def take(
        self,
        lane: Lane,
        lanes: Collection[Lane],
        held: HeldBatch,
        found: Found,
        *,
        by_records: bool,
    ) -> None:
        """Take the spans record by record, deciding on the way what a record's time makes due."""
        body, records, scopes = found
        began = self._began
        records = records or (Record(-1, 0, 0, len(body)),)
        if isinstance(scopes, list):
            ranges = self._take_each(lane, lanes, held, (body, records, scopes), by_records)
        else:
            self._take_all(lane, lanes, held, (body, records, scopes), by_records)
            ranges = scopes.ranges
        began = self._began - began
        self._telemetry.shared.new_traces.value += began
        self._decider.ledger.charge(held, ranges * RANGE_BYTES + began * TRACE_BYTES)

    def _take_all(
        self,
        lane: Lane,
        lanes: Collection[Lane],
        held: HeldBatch,
        found: Found,
        by_records: bool,
    ) -> None:
        """Take what the compiled form has found, doing on the way what it cannot."""
        decider = self._decider
        caches, ledger, most = decider.caches, decider.ledger, decider.bounds.traces_max
        _, records, taking = found
        wall_ms = decider.now.wall_ms if by_records else -1
        why = _QUEUE
        while why != _DONE:
            recent = (
                caches.not_sampled.young, caches.sampled.young,
                caches.not_sampled.old, caches.sampled.old,
            )  # fmt: skip
            room = max(0, most - decider.undecided) if most else -1
            waiting, until_ms = lane.queue_now()
            why, clock_ms, began, strays, spans, interleaved, what = taking.take(
                held, records, lane.traces, recent, waiting, ledger.stirred, lane.clock_ms, wall_ms,
                lane.next_due_ms, until_ms, self._trace_bytes, room,
            )  # fmt: skip
            lane.clock_ms = clock_ms
            lane.held_spans += spans
            self._began += began
            decider.undecided += began
            self._telemetry.without_id.value += strays
            self._telemetry.interleaved.value += interleaved
            ledger.look()
            if why == _DUE:
                decider.decide_due(lane)
            elif why == _QUEUE:
                lane.open_queue(self._began + 1, decider.now.steady_s)
            elif why == _FOLLOW:
                trace_id, chunk, *where = what
                decider.follow(lane, trace_id, chunk, (where[0], where[1], where[2]))
            elif why == _OUTGROWN:
                decider.outgrown(lane, what)
            elif why != _DONE:
                decider.shed_traces(lanes)

    def _take_each(
        self,
        lane: Lane,
        lanes: Collection[Lane],
        held: HeldBatch,
        found: Found,
        by_records: bool,
    ) -> int:
        """The same in Python, range by range; how many there were."""
        body, records, scopes = found
        decider, ranges = self._decider, 0
        wall_ms, release = decider.now.wall_ms, decider.ledger.release
        crowded = decider.bounds.traces_max
        index, count = 0, len(scopes)
        for record in records:
            if by_records and record.timestamp_ms > lane.clock_ms:
                lane.clock_ms = max(lane.clock_ms, min(record.timestamp_ms, wall_ms))
                if lane.next_due_ms <= lane.clock_ms:
                    decider.decide_due(lane)
            entry, stop = HeldRecord(held, record.offset, record.dropped_items), record.body_stop
            while index < count:
                start, resource, scope, own = scopes[index]
                if start >= stop:
                    break
                self._take_scope(lane, (body, resource, scope, entry), own)
                ranges += len(own)
                index += 1
            if self._touched:
                self._judge_touched(lane)
            release(entry)
            if crowded:
                decider.shed_traces(lanes)
        return ranges

    def _take_scope(
        self, lane: Lane, chunk: Chunk, ranges: list[tuple[bytes, int, int, int]]
    ) -> None:
        """Add the spans of one scope to their traces; the loop runs once for each range."""
        find, record, most = lane.traces.get, chunk[3], self._trace_bytes
        context = record.batch.context
        looked_at = self._rooted or self._ingest or context
        for trace_id, start, stop, spans in ranges:
            trace = find(trace_id)
            if trace is None:
                trace = self._begin(lane, trace_id, chunk, (start, stop, spans))
                if trace is None:
                    continue
            if looked_at:
                self._look(lane, trace, chunk, (start, stop, spans))
            record.open += 1
            interleaved = trace.add(chunk, start, stop, spans)
            if not context:
                lane.held_spans += spans
                self._telemetry.interleaved.value += interleaved
            if trace.size_bytes > most:
                self._decider.outgrown(lane, trace)

    def _begin(
        self, lane: Lane, trace_id: bytes, chunk: Chunk, found: tuple[int, int, int]
    ) -> Trace | None:
        """A new trace, or `None` if the spans follow a decision that was made before."""
        decider = self._decider
        if len(trace_id) != _ID_BYTES or trace_id == _ZERO_ID:
            self._telemetry.without_id.value += found[2]
        elif decider.remembers(trace_id):
            decider.follow(lane, trace_id, chunk, found)
            return None
        trace = Trace(trace_id)
        self._began += 1
        lane.put(trace, self._began, decider.now.steady_s)
        decider.undecided += 1
        return trace

    def _look(self, lane: Lane, trace: Trace, chunk: Chunk, found: tuple[int, int, int]) -> None:
        """What is done with spans at once only if it is asked for."""
        if chunk[3].batch.context:
            trace.context = True
        if self._ingest:
            self._touched.setdefault(trace, (trace.ranges * 3, trace.spans))
        start, stop, spans = found
        if self._rooted and not trace.rooted and _has_root(chunk[0][start:stop], spans):
            lane.put_rooted(trace, self._began, self._decider.now.steady_s)

    def _judge_touched(self, lane: Lane) -> None:
        """Judge what the last record brought, trace by trace."""
        touched, self._touched = self._touched, {}
        for trace, (parts, spans) in touched.items():
            if trace.decided:
                continue
            decision = self._decider.judge.decide(
                trace.trace_id, trace.parts[parts:], trace.spans - spans
            )
            if decision is not Decision.NOT_SAMPLED:
                self._decider.settle(lane, trace, decision)


def _has_root(framed: bytes, spans: int) -> bool:
    try:
        parents = PARENT_IDS(framed).span.parent_span_id
    except DecodeError:
        return False
    return len(parents) < spans or any(not parent.strip(b"\0") for parent in parents)
