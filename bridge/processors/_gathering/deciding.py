"""Deciding traces: in time, early, or by an earlier decision."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from bridge.flow import Column
from bridge.processors._gathering.cache import DecisionCache
from bridge.processors._gathering.decision import BulkJudge, Decision, Judge
from bridge.processors._gathering.lane import Lane, Moment
from bridge.processors._gathering.ledger import Ledger
from bridge.processors._gathering.native import compiled
from bridge.processors._gathering.oddities import Oddities
from bridge.processors._gathering.telemetry import Telemetry, observe_many
from bridge.processors._gathering.trace import Chunk, Trace
from bridge.wire import is_trace_id

Note = Callable[[Lane, bytes, bool], None]
"""Told of each decision about a trace id: whether it is sampled."""

_SHED_AT_ONCE = 64  # Traces that are decided early before the account is looked at again.


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    Limits of an engine. 0 is no limit for `traces_max` and `trace_bytes_max`.

    Above `trace_bytes_max` a trace is not sampled, above `trace_bytes_early` it is decided on what
    is there. `undelivered_bytes_max` is the part of `held_bytes_max` that may wait for the backend.
    """

    held_bytes_max: int
    undelivered_bytes_max: int
    traces_max: int = 0
    trace_bytes_max: int = 0
    trace_bytes_early: int = 1 << 62


@dataclass(frozen=True, slots=True)
class Caches:
    """The decisions that late spans follow."""

    sampled: DecisionCache
    not_sampled: DecisionCache


class Decider:
    """
    Decides traces and does what follows from it.

    Args:
        timer:
            Seconds for measuring how long deciding takes; it decides nothing.
        ask_in_time:
            Whether the policies are asked when a trace is due; otherwise it is not sampled then,
            since they were asked while it came in.
    """

    def __init__(
        self,
        judge: Judge,
        caches: Caches,
        bounds: Bounds,
        telemetry: Telemetry,
        timer: Callable[[], float],
        *,
        ask_in_time: bool,
    ) -> None:
        self.judge = judge
        self.caches = caches
        self.bounds = bounds
        self.telemetry = telemetry
        self._timer = timer
        self._ask_in_time = ask_in_time
        self._bulk = judge if ask_in_time and isinstance(judge, BulkJudge) else None
        self._shared = telemetry.shared
        self.ledger = Ledger()
        self._oddities = Oddities(telemetry, lambda: self.now.wall_ms / 1000)
        self.note: Note | None = None
        # What changes: the moment that is now, and how many traces are undecided.
        self.now = Moment(0.0, 0)
        self.undecided = 0

    @property
    def congested(self) -> bool:
        """Whether so much waits for the backend that nothing new may come in."""
        return self.ledger.undelivered_bytes > self.bounds.undelivered_bytes_max

    def decide_due(self, lane: Lane) -> None:
        """Decide what the lane's clock has reached."""
        while (bucket := lane.take_due()) is not None:
            began_s = self._timer()
            before = self.undecided
            for trace in self._decide_all(lane, bucket.traces):
                if not trace.decided:
                    self.decide(lane, trace)
            if count := before - self.undecided:
                age_s = self.now.steady_s - bucket.arrived_s
                observe_many(self._shared.removal_age, age_s, count)
                self._shared.timer.observe((self._timer() - began_s) * 1000)

    def decide(self, lane: Lane, trace: Trace, cause: str = "") -> None:
        """Decide *trace*; a *cause* says why that is before its time."""
        if cause:
            self.telemetry.early[cause].value += 1
        decision = Decision.NOT_SAMPLED
        if self._ask_in_time:
            decision = self.judge.decide(trace.trace_id, trace.parts, trace.spans)
        self.settle(lane, trace, decision)

    def _decide_all(self, lane: Lane, traces: list[Trace]) -> list[Trace]:
        """Decide what can be decided at once, as `decide` does; what is left to that."""
        said = None if self._bulk is None else self._bulk.decide_many(traces)
        if said is None or compiled is None:
            return traces
        before = len(lane.traces)
        settled = compiled.settle(traces, said, lane.traces, self.ledger.stirred)
        sampled, dropped, kept, left, spans = settled
        self.ledger.look()
        gone = before - len(lane.traces)
        self.undecided -= gone
        self._shared.decisions[Decision.SAMPLED].value += len(kept)
        self._shared.decisions[Decision.NOT_SAMPLED].value += gone - len(kept)
        self.telemetry.account.count(Column.DROPPED, spans)
        lane.held_spans -= spans
        self.caches.sampled.add_many(sampled, self.now.steady_s)
        self.caches.not_sampled.add_many(dropped, self.now.steady_s)
        if self.note is not None:
            for ids, is_sampled in ((sampled, True), (dropped, False)):
                for trace_id in ids:
                    self.note(lane, trace_id, is_sampled)
        self._oddities.look(*kept)
        lane.kept += kept
        return left  # type: ignore[no-any-return]  # The stub does not look into it.

    def settle(
        self, lane: Lane, trace: Trace, decision: Decision, *, remember: bool = True
    ) -> None:
        """Act on the decision about an undecided trace."""
        trace.decided = True
        del lane.traces[trace.trace_id]
        self.undecided -= 1
        self._shared.decisions[decision].value += 1
        sampled = decision is Decision.SAMPLED
        # Spans without a trace id are no trace: the next ones are judged by themselves.
        if remember and is_trace_id(trace.trace_id):
            cache = self.caches.sampled if sampled else self.caches.not_sampled
            cache.add(trace.trace_id, self.now.steady_s)
        if trace.context:
            context = trace.split_context()
            self.telemetry.context_ranges.value += context.ranges
            self.ledger.dropped(context)
        # What only context told of was decided by somebody else before.
        if self.note is not None and remember and trace.ranges and is_trace_id(trace.trace_id):
            self.note(lane, trace.trace_id, sampled)
        if sampled:
            self.ledger.kept(trace)
            if trace.ranges:
                self._oddities.look(trace)
                lane.kept.append(trace)
        else:
            self.telemetry.account.count(Column.DROPPED, trace.spans)
            lane.held_spans -= trace.spans
            self.ledger.dropped(trace)
            # Its place in the queue outlives the trace; what it was made of need not.
            trace.clear()

    def outgrown(self, lane: Lane, trace: Trace) -> None:
        """A trace has become larger than one may be."""
        if 0 < self.bounds.trace_bytes_max < trace.size_bytes:
            self._shared.too_large.value += 1
            self.settle(lane, trace, Decision.NOT_SAMPLED)
        else:
            self.decide(lane, trace, "trace_size")

    def remembers(self, trace_id: bytes) -> bool:
        """Whether a decision about the trace is remembered."""
        sampled, not_sampled = self.caches.sampled, self.caches.not_sampled
        return (
            trace_id in not_sampled.young
            or trace_id in sampled.young
            or trace_id in not_sampled.old
            or trace_id in sampled.old
        )

    def recall(self, trace_id: bytes, at_s: float, *, sampled: bool) -> None:
        """Remember a decision that was made elsewhere, at *at_s* on the steady clock."""
        (self.caches.sampled if sampled else self.caches.not_sampled).add(trace_id, at_s)

    def follow(
        self, lane: Lane, trace_id: bytes, chunk: Chunk, found: tuple[int, int, int]
    ) -> None:
        """Let a range of spans follow the decision that is remembered about their trace."""
        start, stop, spans = found
        if chunk[3].batch.context:
            self.telemetry.context_ranges.value += 1
            return
        decided_s = self.caches.sampled.get(trace_id)
        sampled = decided_s is not None
        if decided_s is None:
            decided_s = self.caches.not_sampled.get(trace_id) or self.now.steady_s
        self._shared.early_releases[sampled].value += spans
        self._shared.late_age.observe(max(0.0, self.now.steady_s - decided_s))
        if not sampled:
            self.telemetry.account.count(Column.DROPPED, spans)
            chunk[3].dropped += spans
        else:
            late = Trace(trace_id)
            late.add(chunk, start, stop, spans)
            late.decided = True
            chunk[3].open += 1
            self.ledger.kept(late)
            lane.held_spans += spans
            lane.kept.append(late)

    def shed_traces(self, lanes: Collection[Lane]) -> None:
        """Decide the oldest traces early until there are no more than may be."""
        most = self.bounds.traces_max
        while most and self.undecided > most:
            if not self._decide_oldest(lanes, "num_traces", 1):
                return

    def shed_bytes(self, lanes: Collection[Lane]) -> None:
        """
        Decide the oldest traces early while more is held than may be.

        Not while what was decided already waits for the backend in excess: deciding more of it
        would free nothing.
        """
        ledger, most = self.ledger, self.bounds.held_bytes_max
        while ledger.undecided_bytes + ledger.undelivered_bytes > most and not self.congested:
            if not self._decide_oldest(lanes, "memory", _SHED_AT_ONCE):
                return

    def _decide_oldest(self, lanes: Collection[Lane], cause: str, count: int) -> bool:
        """Decide up to *count* traces of the oldest bucket; whether there was one."""
        found = [(bucket.order, lane, bucket) for lane in lanes if (bucket := lane.oldest())]
        if not found:
            return False
        _, lane, bucket = min(found, key=lambda entry: entry[0])
        for trace in bucket.take(count):
            if not trace.decided:
                self.decide(lane, trace, cause)
        return True
