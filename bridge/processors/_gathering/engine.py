"""
Gathering without waiting: batches and moments in, decisions out.

Nothing here is asynchronous, reads a clock or sends anything. The stage around it hands in what
arrives and acts on what `take_kept`, `ledger.take_finished` and `ledger.take_completed` give.
"""

from bridge.core import Batch, Custody, DeliveryError, Record
from bridge.flow import Column
from bridge.processors._gathering.deciding import Decider
from bridge.processors._gathering.decision import Decision
from bridge.processors._gathering.intake import Intake
from bridge.processors._gathering.lane import Lane, Moment, Place, Waits
from bridge.processors._gathering.ledger import Ledger
from bridge.processors._gathering.trace import HeldBatch, Trace

Taken = list[tuple[Lane, Trace]]
"""Sampled traces on their way downstream, each with its lane."""


class Engine:
    """
    Gathers traces by partition, decides them in time, and knows whose records are still needed.

    Args:
        by_record_time:
            Whether partitions keep record time; otherwise every lane runs on the steady clock.
        ingest:
            Whether arriving spans are judged at once; then *decider* does not ask in time.
    """

    def __init__(
        self, decider: Decider, waits: Waits, *, by_record_time: bool = True, ingest: bool = False
    ) -> None:
        self._decider = decider
        self._waits = waits
        self._by_record_time = by_record_time
        self._intake = Intake(decider, waits, ingest=ingest)
        # What changes: the lanes, how far each partition was ever read, and batches of assignments
        # that ended without the stage knowing yet.
        self.lanes: dict[Place, Lane] = {}
        self._read_to: dict[Place, int] = {}
        self._abandoned: list[HeldBatch] = []
        self._taken_spans = 0
        self._account = decider.telemetry.account
        self._account.watch(self.held_spans)

    def __repr__(self) -> str:
        lanes = len(self.lanes)
        return f"Engine({self.undecided} undecided in {lanes} lanes, {self.ledger!r})"

    @property
    def decider(self) -> Decider:
        """Who decides."""
        return self._decider

    @property
    def ledger(self) -> Ledger:
        """The account of what is held."""
        return self._decider.ledger

    @property
    def undecided(self) -> int:
        """Traces that wait for their decision."""
        return self._decider.undecided

    @property
    def congested(self) -> bool:
        """Whether so much waits for the backend that nothing new may come in."""
        return self._decider.congested

    @property
    def full(self) -> bool:
        """Whether another trace would be one too many."""
        return 0 < self._decider.bounds.traces_max <= self.undecided

    def held_spans(self) -> int:
        """Spans that are undecided, or sampled and not delivered."""
        return self._taken_spans + sum(lane.held_spans for lane in self.lanes.values())

    def oldest_age_s(self, now: Moment) -> float:
        """Seconds since the oldest undecided trace came."""
        buckets = [bucket for lane in self.lanes.values() if (bucket := lane.oldest())]
        return max((now.steady_s - bucket.arrived_s for bucket in buckets), default=0.0)

    # What comes in.

    def take(self, batch: Batch, now: Moment, *, context: bool = False) -> HeldBatch:
        """
        Take a batch, deciding on the way what its records' time makes due.

        Args:
            context:
                Whether its records were finished before, so that its spans only tell about traces
                of which others are still to come.

        Raises:
            Malformed: If its framing is broken. Nothing of it was taken.
        """
        _, records, _ = found = self._intake.find(batch, context=context)
        self._decider.now = now
        lane = self._lane(batch)
        held = HeldBatch(batch.origin.custody, len(records) or 1, context=context)
        self.ledger.open(held, self._intake.cost_bytes(held, found))
        lane.batches[held] = None
        if not context:
            self._account.count(Column.TAKEN, batch.items)
            if records:
                self._note_progress(lane, records)
        by_records = self._by_record_time and lane.custody is not None
        if by_records and not records:
            # Some stage before us lost their times: now is the best that is known.
            self.caught_up(lane, now)
            by_records = False
        self._intake.take(lane, self.lanes.values(), held, found, by_records=by_records)
        self._decider.shed_bytes(self.lanes.values())
        return held

    def tick(self, now: Moment) -> None:
        """Let time pass for the lanes that run on the steady clock."""
        self._decider.now = now
        for lane in self.lanes.values():
            self._let_pass(lane)
        self._decider.shed_bytes(self.lanes.values())

    def caught_up(self, lane: Lane, now: Moment) -> None:
        """Everything in the partition's log was taken: its clock follows the wall to *now*."""
        self._decider.now = now
        if self._by_record_time:
            lane.advance(now.wall_ms)
            self._decider.decide_due(lane)

    def decide_all(self, cause: str, now: Moment) -> None:
        """Decide every trace that came without custody, before its time."""
        self._decider.now = now
        for lane in self.lanes.values():
            if lane.custody is None:
                for trace in list(lane.traces.values()):
                    self._decider.decide(lane, trace, cause)

    def drop_all(self, now: Moment) -> int:
        """Drop every undecided trace that came without custody; how many there were."""
        self._decider.now = now
        before = self.undecided
        for lane in self.lanes.values():
            if lane.custody is None:
                for trace in list(lane.traces.values()):
                    self._decider.settle(lane, trace, Decision.NOT_SAMPLED, remember=False)
        return before - self.undecided

    # What goes out.

    @property
    def has_kept(self) -> bool:
        """Whether a sampled trace waits for delivery that may be delivered."""
        return any(lane.kept and not lane.frozen for lane in self.lanes.values())

    def take_kept(self, bytes_max: int) -> Taken:
        """Sampled traces to deliver together, of *bytes_max* in all, or one that is larger."""
        taken: Taken = []
        size = 0
        for place, lane in list(self.lanes.items()):
            if lane.frozen:
                continue
            while lane.kept and (not taken or size + lane.kept[0].size_bytes <= bytes_max):
                trace = lane.kept.popleft()
                size += trace.size_bytes
                lane.held_spans -= trace.spans
                self._taken_spans += trace.spans
                taken.append((lane, trace))
            if lane.kept:
                # The next call begins behind this lane, so that none starves.
                self.lanes[place] = self.lanes.pop(place)
                break
        return taken

    def give_back(self, taken: Taken) -> None:
        """
        Sampled traces that were not delivered wait again, in front of the others.

        Those of an assignment that ended meanwhile are read again by whoever has it now.
        """
        for lane, trace in reversed(taken):
            self._taken_spans -= trace.spans
            if self.lanes.get(lane.place) is lane:
                lane.kept.appendleft(trace)
                lane.held_spans += trace.spans
            else:
                column = Column.DROPPED if lane.custody is None else Column.RETURNED
                self._account.count(column, trace.spans)

    def still_wanted(self, taken: Taken) -> Taken:
        """What of *taken* may be delivered still; what is of frozen or lost partitions is not."""
        self.give_back([entry for entry in taken if entry[0].frozen or entry[0].ended])
        return [entry for entry in taken if not (entry[0].frozen or entry[0].ended)]

    def delivered(self, taken: Taken) -> None:
        """The traces have arrived downstream."""
        traces = [trace for _, trace in taken]
        self._leave(sum([trace.spans for trace in traces]), Column.DELIVERED)
        self.ledger.delivered(*traces)

    def refused(self, trace: Trace, error: DeliveryError) -> None:
        """The trace will never be taken downstream."""
        self._leave(trace.spans, Column.REJECTED)
        self.ledger.refused(trace, error)

    def closed(self, held: HeldBatch) -> None:
        """Nothing of *held* is needed any more."""
        for lane in self.lanes.values():
            lane.batches.pop(held, None)

    # Assignments that end.

    def end_assignment(self, custody: Custody) -> None:
        """Forget a partition: whoever reads it next reads all again that was not finished."""
        for place, lane in list(self.lanes.items()):
            if lane.belongs_to(custody):
                self._forget(self.lanes.pop(place))

    def freeze(self, custody: Custody) -> None:
        """Pass on nothing more of a partition, and let no time pass for it."""
        for lane in self._lanes_of(custody):
            lane.frozen = True

    def thaw(self, custody: Custody) -> None:
        """Go on with a frozen partition."""
        for lane in self._lanes_of(custody):
            lane.frozen = False

    def is_under_way(self, custody: Custody) -> bool:
        """Whether an attempt to deliver something of a partition is under way."""
        return any(lane.under_way for lane in self._lanes_of(custody))

    def end_all(self) -> None:
        """Forget every partition; what came without custody and was not delivered is lost."""
        for place in list(self.lanes):
            self._forget(self.lanes.pop(place))

    def take_abandoned(self) -> list[HeldBatch]:
        """Batches of assignments that ended, once: they will come again."""
        abandoned, self._abandoned = self._abandoned, []
        return abandoned

    # Helpers.

    def _lanes_of(self, custody: Custody) -> list[Lane]:
        return [lane for lane in self.lanes.values() if lane.belongs_to(custody)]

    def _lane(self, batch: Batch) -> Lane:
        custody = batch.origin.custody
        topic, partition = (custody.topic, custody.partition) if custody is not None else ("", -1)
        place: Place = (batch.origin.source, topic, partition)
        lane = self.lanes.get(place)
        if lane is not None and not lane.belongs_to(custody):
            # A new assignment that nobody told of: what the old one held is read again.
            self._forget(self.lanes.pop(place))
            lane = None
        if lane is None:
            lane = self.lanes[place] = Lane(place, custody, self._waits)
        self._let_pass(lane)
        return lane

    def _let_pass(self, lane: Lane) -> None:
        if not lane.frozen and (lane.custody is None or not self._by_record_time):
            lane.advance(int(self._decider.now.steady_s * 1000))
            self._decider.decide_due(lane)

    def _leave(self, spans: int, column: Column) -> None:
        self._taken_spans -= spans
        self._account.count(column, spans)

    def _forget(self, lane: Lane) -> None:
        # What came by OTLP was answered: nobody will send it again.
        column = Column.DROPPED if lane.custody is None else Column.RETURNED
        self._account.count(column, lane.held_spans)
        for held in lane.batches:
            self.ledger.forget(held)
            self._abandoned.append(held)
        self._decider.undecided -= len(lane.traces)
        lane.clear()

    def _note_progress(self, lane: Lane, records: tuple[Record, ...]) -> None:
        """Count the records that this process has read before."""
        read_to = self._read_to.get(lane.place, 0)
        if records[0].offset < read_to:
            again = sum(1 for record in records if record.offset < read_to)
            self._decider.telemetry.replayed.value += again
        self._read_to[lane.place] = max(read_to, records[-1].offset + 1)
