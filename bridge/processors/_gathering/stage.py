"""The stage around the engine: it waits, and tells custodies and callers what was decided."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from bridge.core import (
    ACCEPTED,
    Batch,
    Custody,
    Deadline,
    DeliveryError,
    Interrupted,
    Overloaded,
    Receipt,
    Settings,
    Stage,
    State,
    Status,
    SteadyWall,
)
from bridge.processors._gathering.delivering import Deliverer, Delivery
from bridge.processors._gathering.engine import Engine
from bridge.processors._gathering.journal import DecisionLog, Journal
from bridge.processors._gathering.lane import Lane, Moment
from bridge.processors._gathering.state import show_state
from bridge.processors._gathering.telemetry import Telemetry
from bridge.processors._gathering.trace import HeldBatch

log = structlog.get_logger()

TICK_S = 0.2
"""Seconds between looks at the steady clock: decisions fall at most that much after their time."""


class Gathering:
    """
    A stage that holds traces until they are decided.

    A batch from Kafka is answered when all its traces were decided and the sampled ones delivered;
    its records are finished one by one before that. So is what has no deadline, although its
    records are not known: a stage before that keeps custody waits for it. What came by OTLP is
    answered on entry, since no client waits that long.

    Args:
        drop_at_stop:
            Whether undecided traces that came by OTLP are dropped at the end.
        wait_for_room:
            Whether OTLP senders wait while there are as many traces as may be.
        read_back_s:
            Seconds of record time that are read back when a partition is taken over.
        decisions, read_timeout_s:
            Where decisions are written before anything follows from them, and read back within so
            many seconds.
    """

    def __init__(
        self,
        engine: Engine,
        telemetry: Telemetry,
        settings: Settings,
        downstream: Stage,
        delivery: Delivery,
        *,
        drop_at_stop: bool = False,
        wait_for_room: bool = False,
        read_back_s: float = 0.0,
        decisions: DecisionLog | None = None,
        read_timeout_s: float = 0.0,
    ) -> None:
        self._engine = engine
        self._telemetry = telemetry
        self._settings = settings
        self._clock = settings.clock
        self._wall = SteadyWall(settings.clock)
        self._delivery = delivery
        self._journal = (
            None
            if decisions is None
            else Journal(decisions, settings, telemetry, read_timeout_s, self._act)
        )
        if self._journal is not None:
            engine.decider.note = self._note
        self._deliverer = Deliverer(
            engine, telemetry, settings, downstream, self._act, self._journal
        )
        self._drop_at_stop = drop_at_stop
        self._wait_for_room = wait_for_room
        self._read_back_s = read_back_s
        self._source = str(settings.id)
        # What changes: the tasks that deliver and tick, who waits for room, the assignments that
        # are frozen, what custodies and callers are to be told once decisions are written, and who
        # waits for the end.
        self._tasks: list[asyncio.Task[None]] = []
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._frozen: dict[int, object] = {}
        self._stopping = False
        self._outcomes: deque[tuple[int, HeldBatch, Callable[[], None]]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        show_state(settings, telemetry, engine, self._now)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._engine!r}, {self._deliverer.in_hand} in flight)"

    # The life of the stage.

    async def start(self) -> None:
        """Begin to tick and to deliver."""
        if self._tasks:
            return
        names = ["tick", *(f"deliver-{number}" for number in range(self._delivery.in_flight_max))]
        if self._journal is not None:
            names.append("journal")
        for name in names:
            work = self._work_of(name)
            task = asyncio.create_task(work, name=f"{self._source}-{name}")
            task.add_done_callback(self._task_ended)
            self._tasks.append(task)
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """
        Decide what came by OTLP, deliver what is decided, and give the rest back to Kafka.

        Undecided traces from Kafka are not decided: they are read again and decided in full.
        """
        self._stopping = True
        self._room.set()
        now = self._now()
        if self._drop_at_stop:
            self._telemetry.dropped_at_stop.add(self._engine.drop_all(now))
        else:
            self._engine.decide_all("shutdown", now)
        self._act()
        if self._tasks:
            try:
                async with asyncio.timeout(deadline.remaining_s):
                    while self._engine.has_kept or self._deliverer.in_hand or self._owes:
                        self._idle.clear()
                        await self._idle.wait()
            except TimeoutError:
                log.warning("sampled_traces_undelivered_at_stop", stage=repr(self))
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._engine.end_all()
        self._act()
        if self._journal is not None:
            await self._journal.stop(deadline)

    # Data.

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Take *batch*. What is context is looked at and answered at once.

        Raises:
            Malformed: If its framing is broken.
            Overloaded: If too much waits for the backend, for OTLP senders who would not wait.
            Interrupted: If we stop, or the partition was revoked: it will come again.
            Permanent: If the backend will never take some of its traces. All others were delivered
                and their records finished.

        Cancellation:
            The partition is forgotten: a source cancels what it has of one only when it loses it.
        """
        if batch.origin.context:
            self._engine.take(batch, self._now(), context=True)
            self._act()
            return ACCEPTED
        await self._wait_room(batch)
        if self._gives_back(batch):
            raise _given_back()
        held = self._engine.take(batch, self._now())
        custody = batch.origin.custody
        if custody is None and not batch.origin.durable:
            self._act()
            return ACCEPTED
        if custody is not None:
            custody.hold([record.offset for record in batch.origin.records])
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        held.waiter = waiter
        self._act()
        del batch, held  # The body lives as long as ranges of it are needed, not longer.
        try:
            await waiter
        except asyncio.CancelledError:
            if custody is not None:
                self._engine.end_assignment(custody)
                self._act()
            raise
        return ACCEPTED

    # What the source tells, see `bridge.core.PartitionListener`.

    async def partition_assigned(self, partition: Custody) -> None:
        """Read what was decided about its traces, if that is written anywhere."""
        if self._journal is None:
            return
        now = self._now()
        for decided in await self._journal.read(partition.topic, partition.partition):
            age_s = max(0.0, (now.wall_ms - decided.at_ms) / 1000)
            self._engine.decider.recall(
                decided.trace_id, now.steady_s - age_s, sampled=decided.sampled
            )

    def partition_frozen(self, partition: Custody) -> None:
        """Keep what is held, pass on nothing of it, take nothing more."""
        self._frozen[id(partition.assignment)] = partition.assignment
        self._engine.freeze(partition)
        self._room.set()

    async def wait_partition_quiet(self, partition: Custody) -> None:
        """Wait for the attempts to deliver traces of the partition that are under way."""
        await self._deliverer.wait_quiet(partition)
        if self._journal is not None:
            await self._journal.wait_written()

    def partition_resumed(self, partition: Custody) -> None:
        """Go on with what is held."""
        self._frozen.pop(id(partition.assignment), None)
        self._engine.thaw(partition)
        self._act()

    def partition_revoked(self, partition: Custody) -> None:
        """Forget the partition and end the deliveries that wait for it."""
        self._frozen.pop(id(partition.assignment), None)
        self._engine.end_assignment(partition)
        self._act()

    @property
    def read_back_s(self) -> float:
        """Seconds of record time to read back when a partition is taken over."""
        return self._read_back_s

    # Waiting.

    async def _wait_room(self, batch: Batch) -> None:
        """Wait while too much is undelivered; whoever has a deadline hears of it in time."""
        deadline = batch.origin.deadline
        while self._crowded(batch) and not self._gives_back(batch):
            self._room.clear()
            try:
                async with asyncio.timeout(None if deadline is None else deadline.remaining_s):
                    await self._room.wait()
            except TimeoutError as error:
                raise Overloaded(
                    f"{self._source} holds as much as it may: the backend takes too little"
                ) from error

    def _gives_back(self, batch: Batch) -> bool:
        custody = batch.origin.custody
        frozen = custody is not None and id(custody.assignment) in self._frozen
        return self._stopping or frozen

    def _crowded(self, batch: Batch) -> bool:
        engine = self._engine
        if engine.congested:
            return True
        # A partition that waits stands still with its clock, so that room would never come.
        return self._wait_for_room and batch.origin.custody is None and engine.full

    def _work_of(self, name: str) -> Coroutine[Any, Any, None]:
        if name == "tick":
            return self._tick_forever()
        if name == "journal" and self._journal is not None:
            return self._journal.write_forever()
        return self._deliver_forever()

    async def _tick_forever(self) -> None:
        while True:
            await self._clock.sleep(TICK_S)
            now = self._now()
            self._engine.tick(now)
            self._ask_partitions(now)
            self._act()

    def _ask_partitions(self, now: Moment) -> None:
        """Let record clocks follow the wall where the log has no more, and forget what was lost."""
        for lane in list(self._engine.lanes.values()):
            custody = lane.custody
            if custody is None:
                continue
            if custody.closed:
                self._engine.end_assignment(custody)
            elif custody.caught_up():
                self._engine.caught_up(lane, now)

    async def _deliver_forever(self) -> None:
        while True:
            taken = self._engine.take_kept(self._delivery.bytes_max)
            if not taken:
                self._work.clear()
                await self._work.wait()
                continue
            try:
                await self._deliverer.deliver(taken)
            finally:
                self._act()

    # Acting on what the engine decided.

    def _act(self) -> None:
        """Tell custodies, callers and our own tasks what changed."""
        engine = self._engine
        for held in engine.ledger.take_finished():
            offsets, held.finished = held.finished, []
            dropped, held.dropped = held.dropped, {}
            if held.custody is not None:
                self._tell(held, partial(held.custody.finish, offsets, dropped))
        for held in engine.ledger.take_completed():
            engine.closed(held)
            self._tell(held, partial(_answer, held, held.error))
        self._tell_what_is_written()
        for held in engine.take_abandoned():
            _answer(held, _given_back())
        if engine.has_kept:
            self._work.set()
        elif not self._deliverer.in_hand and not self._owes:
            self._idle.set()
        if not engine.congested:
            self._room.set()

    @property
    def _owes(self) -> bool:
        """Whether somebody is to be told who still wants to hear it."""
        return any(held.custody is None or not held.custody.closed for _, held, _ in self._outcomes)

    def _tell(self, held: HeldBatch, outcome: Callable[[], None]) -> None:
        """Tell *outcome* once the decisions that it follows from are written."""
        self._outcomes.append((self._journal.noted if self._journal else 0, held, outcome))

    def _tell_what_is_written(self) -> None:
        written = self._journal.written if self._journal else 0
        while self._outcomes and self._outcomes[0][0] <= written:
            self._outcomes.popleft()[2]()

    def _note(self, lane: Lane, trace_id: bytes, sampled: bool) -> None:
        if self._journal is not None and lane.custody is not None:
            self._journal.note(lane.custody.topic, lane.custody.partition, trace_id, sampled)

    def _now(self) -> Moment:
        return Moment(self._clock.monotonic(), int(self._wall.now() * 1000))

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("gathering_failed", task=task.get_name(), exc_info=error)
            self._settings.report(Status(State.FATAL, f"{self._source} failed: {error!r}"))


def _given_back() -> Interrupted:
    return Interrupted("the partition is no longer ours, or we are stopping")


def _answer(held: HeldBatch, error: DeliveryError | None) -> None:
    waiter, held.waiter = held.waiter, None
    if waiter is None or waiter.done():
        return
    if error is None:
        waiter.set_result(None)
    else:
        waiter.set_exception(error)
