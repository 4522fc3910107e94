"""One partition's traces and its clock; or those of everything that came by OTLP."""

from collections import deque
from dataclasses import dataclass

from bridge.core import Custody
from bridge.processors._gathering.trace import HeldBatch, Trace

NEVER = 1 << 62
_FRONT_MAX = 1024  # Traces that may lie in front of a bucket's front before they are cut off.

Place = tuple[str, str, int]
"""Source, topic and partition; partition -1 for what has none."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on both clocks: seconds that never jump, and milliseconds of the Unix epoch."""

    steady_s: float
    wall_ms: int


@dataclass(frozen=True, slots=True)
class Waits:
    """How long traces wait, in milliseconds of a lane's clock; `rooted_ms` is 0 if it is off."""

    decision_ms: int
    rooted_ms: int

    @property
    def grain_ms(self) -> int:
        """Decisions fall on multiples of this, so that traces which begin together share one."""
        return max(1, min(100, self.decision_ms // 20))


class Bucket:
    """
    Traces that are due together. `order` and `arrived_s` are those of the first one.

    Those before `front` are no concern any more: they were decided early.
    """

    __slots__ = ("arrived_s", "due_ms", "front", "order", "traces")

    def __init__(self, due_ms: int, order: int, arrived_s: float) -> None:
        self.due_ms = due_ms
        self.order = order
        self.arrived_s = arrived_s
        self.traces: list[Trace] = []
        self.front = 0

    def take(self, count: int) -> list[Trace]:
        """The next *count* traces from the front, which go."""
        stop = min(self.front + count, len(self.traces))
        taken = self.traces[self.front : stop]
        self.front = stop
        if stop > _FRONT_MAX and stop * 2 > len(self.traces):
            del self.traces[:stop]
            self.front = 0
        return taken

    def find(self) -> bool:
        """Pass over decided traces at the front; whether there is another one."""
        traces = self.traces
        while self.front < len(traces) and traces[self.front].decided:
            self.front += 1
        return self.front < len(traces)


class Lane:
    """
    The undecided traces of one partition in the order of their decisions.

    `next_due_ms` is never later than the next decision.

    The clock of a partition is the latest record timestamp, never above the wall's time; it follows
    the wall only when the partition is caught up. So a backlog is decided as it would have been
    live, however fast it is read. A trace starts at the clock's value when its first record is
    read: a producer whose clock is wrong neither speeds its traces up nor holds them. The wall is a
    `SteadyWall`: a machine's clock that is set anew decides nothing early either.
    """

    def __init__(self, place: Place, custody: Custody | None, waits: Waits) -> None:
        self.place = place
        self.custody = custody
        self._waits = waits
        self._grain_ms = waits.grain_ms
        # What changes: the traces, when they are due, what was sampled and waits for delivery, the
        # spans of both without context, whose records these are, the clock, whether the partition
        # is ours no more, or perhaps, and how many attempts to deliver some of it are under way.
        self.traces: dict[bytes, Trace] = {}
        self.due: deque[Bucket] = deque()
        self.rooted: deque[Bucket] = deque()
        self.kept: deque[Trace] = deque()
        self.held_spans = 0
        self.batches: dict[HeldBatch, None] = {}
        self.clock_ms = 0
        self.frozen = self.ended = False
        self.under_way = 0
        self._latest: Bucket | None = None
        self.next_due_ms = NEVER

    def __repr__(self) -> str:
        source, topic, partition = self.place
        where = f"{topic}/{partition}" if topic else source
        return f"Lane({where}, {len(self.traces)} undecided, {len(self.kept)} to deliver)"

    def belongs_to(self, custody: Custody | None) -> bool:
        """Whether *custody* is of the same assignment as this lane, or neither has one."""
        if custody is None or self.custody is None:
            return custody is self.custody
        return self.custody.assignment is custody.assignment

    def advance(self, to_ms: int) -> None:
        """Move the clock; it never goes back."""
        if to_ms > self.clock_ms:
            self.clock_ms = to_ms

    def put(self, trace: Trace, order: int, now_s: float) -> None:
        """Let a new trace wait for its decision."""
        self.traces[trace.trace_id] = trace
        self.open_queue(order, now_s).traces.append(trace)

    def queue_now(self) -> tuple[list[Trace] | None, int]:
        """Where traces that begin now wait, if that is known, and until which time of the clock."""
        latest = self._latest
        if latest is None:
            return None, -1
        return latest.traces, latest.due_ms - self._waits.decision_ms

    def open_queue(self, order: int, now_s: float) -> Bucket:
        """See to it that there is a bucket for traces that begin now."""
        # Most traces begin at the same time as the one before.
        if self._latest is None or self.clock_ms > self._latest.due_ms - self._waits.decision_ms:
            self._latest = self._queue(self.due, self._waits.decision_ms, order, now_s)
        return self._latest

    def put_rooted(self, trace: Trace, order: int, now_s: float) -> None:
        """Let *trace* be decided sooner, since its root has come."""
        trace.rooted = True
        self._queue(self.rooted, self._waits.rooted_ms, order, now_s).traces.append(trace)

    def take_due(self) -> Bucket | None:
        """The next bucket whose time has come; some of its traces may be decided already."""
        for queue in (self.due, self.rooted):
            if queue and queue[0].due_ms <= self.clock_ms:
                bucket = queue.popleft()
                if bucket is self._latest:
                    self._latest = None
                return bucket
        self.next_due_ms = min(
            self.due[0].due_ms if self.due else NEVER,
            self.rooted[0].due_ms if self.rooted else NEVER,
        )
        return None

    def oldest(self) -> Bucket | None:
        """The bucket with the oldest undecided trace at its front."""
        while self.due:
            bucket = self.due[0]
            if bucket.find():
                return bucket
            self.due.popleft()
            if bucket is self._latest:
                self._latest = None
        return None

    def clear(self) -> None:
        """Forget everything: the assignment ended."""
        self.ended = True
        for trace in self.traces.values():
            trace.decided = True
        for held in (self.traces, self.due, self.rooted, self.kept, self.batches):
            held.clear()
        self.held_spans = 0
        self.next_due_ms = NEVER
        self._latest = None

    def _queue(self, queue: deque[Bucket], wait_ms: int, order: int, now_s: float) -> Bucket:
        grain_ms = self._grain_ms
        due_ms = -(-(self.clock_ms + wait_ms) // grain_ms) * grain_ms
        if queue and queue[-1].due_ms >= due_ms:
            return queue[-1]
        bucket = Bucket(due_ms, order, now_s)
        self.next_due_ms = min(self.next_due_ms, due_ms)
        queue.append(bucket)
        return bucket
