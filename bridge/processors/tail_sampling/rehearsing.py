"""
Policies tried on records that the log still has: decided as they would have been, sent nowhere.

The engine is that of the processor, so early decisions, late spans and limits come out as in
operation. Time is that of the records, also for policies that count per second.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bridge.core import NOTHING_DROPPED, Batch, Malformed, Origin, Record, Settings, Signal
from bridge.processors._gathering import (
    CAUSES,
    Decider,
    Decision,
    Lane,
    Moment,
    Parts,
    Telemetry,
    Trace,
)
from bridge.processors.tail_sampling.comparing import Comparison, Ruling
from bridge.processors.tail_sampling.judge import Juror, PolicyJudge
from bridge.processors.tail_sampling.options import TailSamplingOptions
from bridge.processors.tail_sampling.processor import build_engine
from bridge.processors.tail_sampling.sizing import SizeJudge
from bridge.processors.tail_sampling.telemetry import shared_figures
from bridge.processors.tail_sampling.view import PolicyError, resource_attributes

_STEP_MS = 1000
"""How far the clock goes at a time at the end: limits per second are not used up at once."""

_SERVICES_KNOWN_MAX = 10_000
_ALL = 1 << 62

TOO_LARGE = "(maximum_trace_size_bytes)"
"""What settles a trace that is larger than one may be, in place of a policy's name."""


@dataclass(frozen=True, slots=True)
class Retained:
    """One record of the log: its offset, time in ms of the epoch, OTLP request and spans in it."""

    offset: int
    timestamp_ms: int
    body: bytes
    spans: int


@dataclass(frozen=True, slots=True)
class Exceptions:
    """
    What one side did besides deciding traces in time.

    `early` are traces decided before their time by cause, `open_at_end` those whose wait was not
    over where the log ends, `late_kept` and `late_dropped` spans that followed a decision,
    `policy_errors` evaluations that failed.
    """

    early: dict[str, int]
    open_at_end: int
    late_kept: int
    late_dropped: int
    policy_errors: int


class RecordClock:
    """The time of the records, in seconds of the epoch, for policies that look at a clock."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        """The time of the records that were read last."""
        return self.now_s

    def wall(self) -> float:
        """The same."""
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        """Only yield: this clock is moved by records."""
        await asyncio.sleep(0)


@dataclass(eq=False, slots=True)
class _Reader:
    """The custody of a partition in which nothing is committed."""

    topic: str
    partition: int
    epoch: int = 1
    closed: bool = False

    @property
    def assignment(self) -> object:
        """The reader itself: there is one of each partition."""
        return self

    def caught_up(self) -> bool:
        """Whoever reads says when the end is reached."""
        return False

    def finish(self, offsets: Iterable[int], dropped: Mapping[int, int] = NOTHING_DROPPED) -> None:
        """Nobody keeps a book."""

    def hold(self, offsets: Iterable[int]) -> None:
        """Nobody keeps a window."""


class _Witness:
    """Asks a judge, and keeps who settled the last trace."""

    def __init__(self, judge: PolicyJudge | SizeJudge) -> None:
        self.judge = judge
        # What changes: the trace asked about last, and the policy that settled it.
        self._trace_id = b""
        self._by = ""

    def decide(self, trace_id: bytes, parts: Parts, spans: int) -> Decision:
        """The judge's decision."""
        decision, self._by = self.judge.decide_and_name(trace_id, parts, spans)
        self._trace_id = trace_id
        return decision

    def take(self, trace_id: bytes) -> str:
        """Who settled *trace_id*, once; empty if nobody was asked or no policy keeps it."""
        by = self._by if trace_id == self._trace_id else ""
        self._trace_id, self._by = b"", ""
        return by


class _WatchedDecider(Decider):
    """Tells of every decision before it is acted on."""

    def __init__(
        self,
        tell: Callable[[Trace, Decision, str], None],
        judge: PolicyJudge | SizeJudge,
        *rest: Any,
        **more: Any,
    ) -> None:
        self.witness = _Witness(judge)
        super().__init__(self.witness, *rest, **more)
        self._tell = tell
        # What changes: the traces that were too large so far, which no policy settles.
        self._too_large = 0

    def settle(
        self, lane: Lane, trace: Trace, decision: Decision, *, remember: bool = True
    ) -> None:
        by = self.witness.take(trace.trace_id)
        if (too_large := int(self.telemetry.shared.too_large.value)) > self._too_large:
            self._too_large, by = too_large, TOO_LARGE
        self._tell(trace, decision, by)
        super().settle(lane, trace, decision, remember=remember)


class _Side:
    """One set of policies with an engine of its own."""

    def __init__(
        self,
        options: TailSamplingOptions,
        settings: Settings,
        tell: Callable[[Trace, Decision, str], None],
    ) -> None:
        self._telemetry = Telemetry(settings, "tail_sampling", shared_figures(settings.metrics))
        self._jurors: Sequence[Juror] = ()

        def make(judge: PolicyJudge | SizeJudge, *rest: Any, **more: Any) -> Decider:
            self._jurors = judge.jurors
            return _WatchedDecider(tell, judge, *rest, **more)

        self.engine = build_engine(options, settings, self._telemetry, make)
        self._wait_ms = round(options.decision_wait * 1000)
        # What changes.
        self._open_at_end = 0

    def take(self, batch: Batch, now: Moment) -> None:
        self.engine.take(batch, now)
        self._clear()

    def advance(self, now: Moment) -> None:
        """All partitions were read up to *now*."""
        for lane in list(self.engine.lanes.values()):
            self.engine.caught_up(lane, now)
        self.engine.tick(now)
        self._clear()

    def end(self, at_ms: int, clock: RecordClock) -> None:
        """Let the waits of what is still undecided pass."""
        self._open_at_end = self.engine.undecided
        stop_ms = at_ms + self._wait_ms + 2 * _STEP_MS
        while self.engine.undecided and at_ms <= stop_ms:
            at_ms += _STEP_MS
            clock.now_s = at_ms / 1000
            self.advance(Moment(clock.now_s, at_ms))

    def _clear(self) -> None:
        """What is decided is delivered, as far as the engine knows."""
        engine = self.engine
        while engine.has_kept:
            engine.delivered(engine.take_kept(_ALL))
        for held in engine.ledger.take_finished():
            held.finished.clear()
        for held in engine.ledger.take_completed():
            engine.closed(held)

    def exceptions(self) -> Exceptions:
        shared = self._telemetry.shared
        return Exceptions(
            {cause: int(self._telemetry.early[cause].value) for cause in CAUSES},
            self._open_at_end,
            int(shared.early_releases[True].value),
            int(shared.early_releases[False].value),
            sum(int(juror.tally.errors.value) for juror in self._jurors),
        )


class Rehearsal:
    """
    Lets a candidate and, if there is one, the current policies decide about the same records.

    Each side holds at most its own `memory_limit_mib`; bodies are shared.

    Args:
        settings:
            Metrics and id for the processors; their clocks are replaced by that of the records.
            One for each side, since both count under the same names.
        wall_ms:
            The time, in ms of the epoch: records from the future count as written now.
    """

    def __init__(
        self,
        candidate: TailSamplingOptions,
        current: TailSamplingOptions | None,
        settings: tuple[Settings, Settings],
        wall_ms: int,
    ) -> None:
        self.comparison = Comparison(both=current is not None)
        self._clock = RecordClock()
        self._wall_ms = wall_ms
        for_candidate, for_current = (replace(one, clock=self._clock) for one in settings)
        self._candidate = _Side(candidate, for_candidate, partial(self._rule, of_candidate=True))
        self._current = (
            None
            if current is None
            else _Side(current, for_current, partial(self._rule, of_candidate=False))
        )
        # What changes: the partitions read, what they held, and names of services by resource.
        self._readers: dict[tuple[str, int], _Reader] = {}
        self._services: dict[bytes, str] = {}
        self.records = 0
        self.spans = 0
        self.size_bytes = 0
        self.unreadable = 0
        self.first_ms: int | None = None
        self.last_ms = 0

    def take(self, topic: str, partition: int, records: Sequence[Retained]) -> None:
        """Take consecutive records of a partition; those that are no OTLP are counted."""
        self.records += len(records)
        whole = [record for record in records if record.body]
        self.unreadable += len(records) - len(whole)
        if not whole:
            return
        self.spans += sum(record.spans for record in whole)
        self.size_bytes += sum(len(record.body) for record in whole)
        first_ms = min(record.timestamp_ms for record in whole)
        self.first_ms = first_ms if self.first_ms is None else min(self.first_ms, first_ms)
        self.last_ms = max(self.last_ms, *(record.timestamp_ms for record in whole))
        reader = self._readers.setdefault((topic, partition), _Reader(topic, partition))
        batch = _batch(reader, whole)
        self._clock.now_s = max(self._clock.now_s, min(self.last_ms, self._wall_ms) / 1000)
        now = Moment(self._clock.now_s, self._wall_ms)
        try:
            for side in self._sides:
                side.take(batch, now)
        except Malformed:
            # Nothing of the batch was taken: all but the broken record are.
            if len(whole) == 1:
                self.unreadable += 1
                return
            self._take_apart(reader, whole, now)

    def advance(self, read_to_ms: int) -> None:
        """All partitions were read up to this time of records."""
        to_ms = min(read_to_ms, self._wall_ms)
        for side in self._sides:
            side.advance(Moment(self._clock.now_s, to_ms))

    def end(self) -> None:
        """The log has no more: decide what is left when its wait is over."""
        at_ms = round(self._clock.now_s * 1000)
        for side in self._sides:
            self._clock.now_s = at_ms / 1000
            side.end(at_ms, self._clock)
        self.comparison.end()

    def exceptions(self) -> tuple[Exceptions, Exceptions | None]:
        """What candidate and current policies did besides deciding in time."""
        current = self._current
        return self._candidate.exceptions(), None if current is None else current.exceptions()

    def _rule(self, trace: Trace, decision: Decision, by: str, *, of_candidate: bool) -> None:
        ruling = Ruling(
            decision is Decision.SAMPLED,
            by,
            self._service(trace.parts[0][1]) if trace.parts else "",
            trace.spans,
            trace.size_bytes,
        )
        self.comparison.rule(trace.trace_id, ruling, of_candidate=of_candidate)

    @property
    def _sides(self) -> list[_Side]:
        return [self._candidate] if self._current is None else [self._candidate, self._current]

    def _take_apart(self, reader: _Reader, records: Sequence[Retained], now: Moment) -> None:
        for record in records:
            try:
                for side in self._sides:
                    side.take(_batch(reader, [record]), now)
            except Malformed:
                self.unreadable += 1

    def _service(self, resource: bytes) -> str:
        known = self._services.get(resource)
        if known is not None:
            return known
        if len(self._services) >= _SERVICES_KNOWN_MAX:
            self._services.clear()
        name = _service_name(resource)
        self._services[resource] = name
        return name


def _service_name(resource: bytes) -> str:
    try:
        for pair in resource_attributes(resource):
            if pair.key == b"service.name":
                return str(pair.value.text.decode(errors="replace"))
    except PolicyError:
        return ""
    return ""


def _batch(reader: _Reader, records: Sequence[Retained]) -> Batch:
    marks, position = [], 0
    for record in records:
        stop = position + len(record.body)
        marks.append(Record(record.offset, record.timestamp_ms, position, stop))
        position = stop
    body = b"".join(record.body for record in records)
    spans = sum(record.spans for record in records)
    return Batch(Signal.TRACES, body, spans, Origin("rehearsal", None, reader, tuple(marks)))
