"""
Writing what callers have for partitions: one open and one in-flight batch each, all independent.

What arrives while a partition's batch is in flight is the partition's next batch. A caller waits
for the partitions that its request touches, by one `Ticket`; a batch is sent again as long as
somebody waits for some of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import TopicPartition

from bridge.core import (
    Clock,
    Deadline,
    DeliveryError,
    Denied,
    Interrupted,
    Retryable,
    TooLarge,
    Unavailable,
)
from bridge.flow import Seldom
from bridge.kafka.backlog import Backlog, BacklogLimits
from bridge.kafka.codecs import Codec
from bridge.kafka.embedded_guard import EmbeddedGuard
from bridge.kafka.flights import Flight, Lane
from bridge.kafka.packing import (
    Entry,
    fail_all,
    living_of,
    longest_wait_s,
    take_batch,
    to_records,
    undoubt,
)
from bridge.kafka.producer import Producer
from bridge.kafka.raw_producer import Written
from bridge.kafka.record_batch import OutRecord, RecordBatch, build_batch
from bridge.kafka.ticket import Ticket

log = structlog.get_logger()

_RESEND_FIRST_S = 0.05
_TELL_S = 60.0  # Between two lines in the log about one topic that we may not write to.
_TOLD_MAX = 1000
_ANY_SIZE = 1 << 31
_STOPPING = "the Kafka exporter is stopping"
_SWEEP_SHARE = 8  # Dead requests are swept out when they are an eighth of the waiting entries.


@dataclass(frozen=True, slots=True)
class FlushOptions:
    """
    How batches are made and repeated.

    `backlog` bounds what is taken and not settled; `resend` says whether a batch that may
    not have been written is sent again here, and `resend_max_s` how long the pause between two
    attempts may grow.
    """

    codec: Codec | None
    backlog: BacklogLimits
    resend: bool = True
    resend_max_s: float = 5.0


class FlushEvents:
    """What the owner of a flusher may hear; the methods of this class do nothing."""

    def written(
        self, topic: str, partition: int, records: list[OutRecord], written: Written
    ) -> None:
        """A batch was acknowledged."""

    def attempt_failed(self, topic: str, items: int, error: DeliveryError) -> None:
        """A batch of *items* was not acknowledged, and may be written nevertheless."""


class Flusher:
    """
    The lanes of all partitions that are written to.

    Idle lanes cost nothing: they exist only while they have entries.
    """

    def __init__(
        self,
        producer: Producer,
        options: FlushOptions,
        events: FlushEvents,
        clock: Clock,
        guard: Callable[[], EmbeddedGuard | None] = lambda: None,
    ) -> None:
        self._producer = producer
        self._options = options
        self._events = events
        self._clock = clock
        self._guard = guard
        # What changes: lanes with work, what hears that a batch landed while we stop, and the
        # bytes admitted and not released.
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._progress: asyncio.Future[None] | None = None
        self._fresh: list[Lane] = []
        self._stopping = False
        self._dead_tickets = 0
        self._telling = Seldom(_TELL_S, keys_max=_TOLD_MAX)
        self._held = Backlog(options.backlog, clock)

    @property
    def held_bytes(self) -> int:
        """Bytes admitted and not released."""
        return self._held.held_bytes

    @property
    def backlog(self) -> int:
        """How many entries wait for their partition."""
        return sum(len(lane.entries) for lane in self._lanes.values())

    def backlog_of(self, topic: str, partition: int) -> int:
        """Bytes that wait for one partition."""
        lane = self._lanes.get((topic, partition))
        return sum(entry.size for entry in lane.entries) if lane is not None else 0

    def admit(self, body_bytes: int, own_bytes: int = 0, *, patient: bool = False) -> None:
        """
        Charge a request, or copies of one, as `Backlog.admit` does.

        Raises:
            Overloaded: If the budget is used up, or what waits would take too long.
            Interrupted: If we are stopping.
        """
        if self._stopping:
            raise Interrupted(_STOPPING)
        self._held.admit(body_bytes, own_bytes, patient=patient)

    def release(self, body_bytes: int) -> None:
        """Give back what `admit` charged."""
        self._held.release(body_bytes)

    def put(self, topic: str, partition: int, batch_bytes_max: int, entry: Entry) -> None:
        """Queue *entry*, which is opened on its ticket; what is put in one turn goes together."""
        lane = self._lanes.get((topic, partition))
        if lane is None:
            where = TopicPartition(topic, partition)
            lane = self._lanes[where] = Lane(where)
            if not self._fresh:
                asyncio.get_running_loop().call_soon(self._begin)
            self._fresh.append(lane)
        lane.batch_bytes_max = batch_bytes_max
        lane.entries.append(entry)

    def forget(self, _: Ticket) -> None:
        """
        Hear that nobody waits for a request any more, so that its entries need not be kept.

        They are swept out together, once the dead could be a good part of the whole: looking for
        the entries of each one would take a time that grows with the square of the backlog.
        """
        self._dead_tickets += 1
        if self._dead_tickets * _SWEEP_SHARE < self.backlog:
            return
        self._dead_tickets = 0
        for lane in self._lanes.values():
            living = (entry.living() for entry in lane.entries)
            lane.entries = deque(entry for entry in living if entry is not None)

    async def stop(self, deadline: Deadline) -> None:
        """Write what was put, until *deadline*; fail the rest."""
        self._stopping = True
        self._begin()
        while self._lanes and not deadline.expired:
            await asyncio.wait(self._under_way(), timeout=deadline.remaining_s)
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        for task in tasks:
            task.cancel()
        for lane in list(self._lanes.values()):
            if lane.flight is not None:
                flight, lane.flight = lane.flight, None
                self._end(lane, flight.entries, Interrupted(_STOPPING))
        if tasks:
            await asyncio.wait(tasks)

    def _under_way(self) -> list[asyncio.Future[Any]]:
        tasks: list[asyncio.Future[Any]] = [
            lane.task for lane in self._lanes.values() if lane.task is not None
        ]
        if self._progress is None or self._progress.done():
            self._progress = asyncio.get_running_loop().create_future()
        return [self._progress, *tasks]

    def _begin(self) -> None:
        """Write what was put in this turn of the loop, each partition its first batch."""
        fresh, self._fresh = self._fresh, []
        for lane in fresh:
            self._advance(lane)

    def _advance(self, lane: Lane) -> None:
        """Send the next batch of a lane that has nothing under way; forget it without any."""
        taken: list[Entry] = []
        try:
            if lane.entries:
                taken = take_batch(lane.entries, lane.batch_bytes_max)
            if not taken:
                del self._lanes[lane.where]
            elif not self._launch(lane, taken):
                self._worry(lane, taken, None)
        except Exception as error:  # noqa: BLE001 - callers are told, and it is logged
            self._broken(lane, taken, error)

    def _launch(self, lane: Lane, entries: list[Entry]) -> bool:
        """Send *entries* without a task, as nearly all are; says whether that could be done."""
        if self._guard() is not None:
            return False
        records = to_records(entries)
        batch, count = self._build(lane, records)
        if count < len(records):
            return False
        flight = Flight(self._landed, lane, entries, records, self._clock.monotonic())
        flight.raw = self._producer.begin(lane.where, batch, flight.landed)
        if flight.raw is None:
            return False
        for entry in entries:
            entry.doubt(1)
        lane.flight = flight
        return True

    def _landed(self, flight: Flight, outcome: Written | BaseException) -> None:
        lane, entries = flight.lane, flight.entries
        if lane.flight is not flight:
            return  # We stopped and did not wait for it.
        lane.flight = None
        try:
            if isinstance(outcome, Written):
                self._held.flew(flight.began_s)
                self._acknowledge(lane, entries, flight.records, outcome)
                self._advance(lane)
            else:
                for entry in entries:
                    entry.doubt(-1)
                self._worry(lane, entries, self._producer.failure(flight.raw, outcome, lane.where))
        except Exception as error:  # noqa: BLE001 - callers are told, and it is logged
            self._broken(lane, entries, error)
        if self._progress is not None and not self._progress.done():
            self._progress.set_result(None)

    def _worry(self, lane: Lane, entries: list[Entry], error: DeliveryError | None) -> None:
        """Leave *entries* to a task that waits and repeats, after *error* if there was one."""
        lane.task = asyncio.create_task(self._drain(lane, entries, error), name="kafka-lane")

    def _acknowledge(
        self, lane: Lane, entries: list[Entry], records: list[OutRecord], written: Written
    ) -> None:
        self._held.written(sum([len(entry.value) for entry in entries]))
        topic, partition = lane.where
        self._events.written(topic, partition, records, written)
        for entry in entries:
            entry.acknowledged()

    def _end(self, lane: Lane, entries: list[Entry], error: DeliveryError) -> None:
        """Fail everything of a lane, and forget it."""
        fail_all((*entries, *lane.entries), error)
        lane.entries.clear()
        if self._lanes.get(lane.where) is lane:
            del self._lanes[lane.where]

    def _broken(self, lane: Lane, entries: list[Entry], error: Exception) -> None:
        # Callers must not wait for a lane that a fault of ours has ended.
        topic, partition = lane.where
        log.error("kafka_lane_failed", topic=topic, partition=partition, exc_info=error)
        trouble = Unavailable(f"writing to {topic}/{partition} failed")
        trouble.__cause__ = error
        self._end(lane, entries, trouble)

    async def _drain(self, lane: Lane, entries: list[Entry], error: DeliveryError | None) -> None:
        try:
            await self._ship(lane, entries, error)
        except asyncio.CancelledError:
            self._end(lane, entries, Interrupted(_STOPPING))
            raise
        except Exception as fault:  # noqa: BLE001 - the same
            self._broken(lane, entries, fault)
        else:
            lane.task = None
            self._advance(lane)

    async def _ship(
        self, lane: Lane, entries: list[Entry], error: DeliveryError | None = None
    ) -> None:
        """Write *entries* as one batch, again and again, as long as somebody waits for them."""
        wait_s = _RESEND_FIRST_S
        for entry in entries:
            entry.doubt(1)
        while entries:
            try:
                if error is not None:
                    failed, error = error, None
                    raise failed
                records = to_records(entries)
                written = await self._write(lane, records, longest_wait_s(entries))
            except TooLarge as too_large:
                undoubt(entries)
                await self._ship_smaller(lane, entries, too_large)
                return
            except Retryable as trouble:
                self._events.attempt_failed(
                    lane.where.topic, sum(e.items for e in entries), trouble
                )
                if not self._options.resend or longest_wait_s(entries) == 0.0:
                    fail_all(entries, trouble)
                    return
            except DeliveryError as trouble:
                if isinstance(trouble, Denied):
                    self._tell_denied(lane.where.topic, trouble)
                undoubt(entries)
                fail_all(entries, trouble)
                return
            else:
                self._acknowledge(lane, entries, records, written)
                return
            await self._clock.sleep(wait_s)
            wait_s = min(wait_s * 2, self._options.resend_max_s)
            entries = living_of(entries)

    def _tell_denied(self, topic: str, error: Denied) -> None:
        """Log what the operator must mend: senders hear it too, but cannot."""
        if self._telling.lets(topic, self._clock.monotonic()):
            log.warning("kafka_write_denied", topic=topic, reason=str(error), hint=error.hint)

    def _build(self, lane: Lane, records: list[OutRecord]) -> tuple[RecordBatch, int]:
        limit = lane.batch_bytes_max
        if len(records) == 1:
            # Whoever put a larger one alone knows that it shrinks below the topic's limit.
            limit = _ANY_SIZE
        return build_batch(records, limit, self._options.codec, int(self._clock.wall() * 1000))

    async def _write(
        self, lane: Lane, records: list[OutRecord], timeout_s: float | None
    ) -> Written:
        batch, count = self._build(lane, records)
        if count < len(records):
            limit = lane.batch_bytes_max
            raise TooLarge(f"{len(records)} records do not fit into a batch of {limit} bytes")
        guard, size = self._guard(), batch.size()
        topic, partition = lane.where
        if guard is None:
            return await self._producer.send(lane.where, batch, timeout_s)
        guard.admit(topic, partition, size)
        offset_next: int | None = None
        try:
            written = await self._producer.send(lane.where, batch, timeout_s)
            offset_next = written.offset + len(records) if written.offset >= 0 else None
        finally:
            guard.written(topic, partition, size, offset_next)
        return written

    async def _ship_smaller(self, lane: Lane, entries: list[Entry], error: TooLarge) -> None:
        """The broker takes less than we knew: halve the batch, then the entry, until it fits."""
        log.warning(
            "kafka_batch_too_large",
            topic=lane.where.topic,
            partition=lane.where.partition,
            records=len(entries),
            reason=str(error),
        )
        if len(entries) > 1:
            middle = len(entries) // 2
            await self._ship(lane, entries[:middle])
            await self._ship(lane, entries[middle:])
            return
        (entry,) = entries
        if (halves := entry.halves()) is not None:
            for half in halves:
                await self._ship(lane, [half])
            return
        for smaller in entry.shrinker.shrink(entry, len(entry.value) // 2):
            await self._ship(lane, [smaller])
