"""
Writing what callers have for partitions: one open and one in-flight batch each, all independent.

What arrives while a partition's batch is in flight is the partition's next batch. A caller waits
for the partitions that its request touches, by one `Ticket`; a batch is sent again as long as
somebody waits for some of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from bridge.core import (
    Clock,
    Deadline,
    DeliveryError,
    Interrupted,
    Overloaded,
    Retryable,
    TooLarge,
    Unavailable,
)
from bridge.kafka.codecs import Codec
from bridge.kafka.embedded_guard import EmbeddedGuard
from bridge.kafka.packing import Entry, take_batch, to_records
from bridge.kafka.producer import Producer
from bridge.kafka.raw_producer import Written
from bridge.kafka.record_batch import OutRecord, batch_size_alone, build_batch
from bridge.kafka.ticket import Ticket

log = structlog.get_logger()

_RESEND_FIRST_S = 0.05
_SWEEP_SHARE = 8  # Dead requests are swept out when they are an eighth of the waiting entries.


@dataclass(frozen=True, slots=True)
class FlushOptions:
    """
    How batches are made and repeated.

    `held_bytes_max` bounds what is taken and not settled; `resend` says whether a batch that may
    not have been written is sent again here, and `resend_max_s` how long the pause between two
    attempts may grow.
    """

    codec: Codec | None
    held_bytes_max: int
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


@dataclass(slots=True, eq=False)
class _Lane:
    topic: str
    partition: int
    entries: deque[Entry]
    batch_bytes_max: int
    task: asyncio.Task[None] | None = None


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
        # What changes: lanes with work, and the bytes admitted and not released.
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._stopping = False
        self._dead_tickets = 0
        self.held_bytes = 0

    @property
    def backlog(self) -> int:
        """How many entries wait for their partition."""
        return sum(len(lane.entries) for lane in self._lanes.values())

    def backlog_of(self, topic: str, partition: int) -> int:
        """Bytes that wait for one partition."""
        lane = self._lanes.get((topic, partition))
        return sum(entry.size for entry in lane.entries) if lane is not None else 0

    def admit(self, body_bytes: int) -> None:
        """
        Charge a request to the budget; `release` gives it back.

        Raises:
            Overloaded: If the budget is used up.
            Interrupted: If we are stopping.
        """
        if self._stopping:
            raise Interrupted("the Kafka exporter is stopping")
        limit = self._options.held_bytes_max
        if self.held_bytes and self.held_bytes + body_bytes > limit:
            raise Overloaded(
                f"{self.held_bytes} of {limit} bytes wait for Kafka (producer.max_buffered_bytes)"
            )
        self.held_bytes += body_bytes

    def release(self, body_bytes: int) -> None:
        """Give back what `admit` charged."""
        self.held_bytes -= body_bytes

    def put(self, topic: str, partition: int, batch_bytes_max: int, entry: Entry) -> None:
        """Queue *entry*, which is opened on its ticket; its partition is written to at once."""
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = _Lane(topic, partition, deque(), batch_bytes_max)
            self._lanes[topic, partition] = lane
        lane.batch_bytes_max = batch_bytes_max
        lane.entries.append(entry)
        if lane.task is None:
            lane.task = asyncio.create_task(self._drain(lane), name="kafka-lane")

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
            lane.entries = deque(entry for entry in lane.entries if entry.ticket.live)

    async def stop(self, deadline: Deadline) -> None:
        """Write what was put, until *deadline*; fail the rest."""
        self._stopping = True
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=deadline.remaining_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _drain(self, lane: _Lane) -> None:
        taken: list[Entry] = []
        try:
            while taken := take_batch(lane.entries, lane.batch_bytes_max):
                await self._ship(lane, taken)
                taken = []
        except asyncio.CancelledError:
            _fail((*taken, *lane.entries), Interrupted("the Kafka exporter is stopping"))
            raise
        except Exception as error:
            # Callers must not wait for a lane that a fault of ours has ended.
            log.exception("kafka_lane_failed", topic=lane.topic, partition=lane.partition)
            trouble = Unavailable(f"writing to {lane.topic}/{lane.partition} failed")
            trouble.__cause__ = error
            _fail((*taken, *lane.entries), trouble)
        finally:
            # No await since the last look at the entries: nothing can have been put meanwhile.
            lane.task = None
            if self._lanes.get((lane.topic, lane.partition)) is lane:
                del self._lanes[lane.topic, lane.partition]

    async def _ship(self, lane: _Lane, entries: list[Entry]) -> None:
        """Write *entries* as one batch, again and again, as long as somebody waits for them."""
        wait_s = _RESEND_FIRST_S
        _doubt(entries, 1)
        while entries:
            records = to_records(entries)
            try:
                written = await self._write(lane, records, _timeout_s(entries))
            except TooLarge as error:
                _doubt(entries, -1)
                await self._ship_smaller(lane, entries, error)
                return
            except Retryable as error:
                self._events.attempt_failed(lane.topic, sum(e.items for e in entries), error)
                if not self._options.resend or _timeout_s(entries) == 0.0:
                    _fail(entries, error)
                    return
            except DeliveryError as error:
                _doubt(entries, -1)
                _fail(entries, error)
                return
            else:
                self._events.written(lane.topic, lane.partition, records, written)
                _doubt(entries, -1)
                for entry in entries:
                    entry.ticket.acknowledged(entry.items)
                return
            await self._clock.sleep(wait_s)
            wait_s = min(wait_s * 2, self._options.resend_max_s)
            entries = [entry for entry in entries if entry.ticket.live]

    async def _write(
        self, lane: _Lane, records: list[OutRecord], timeout_s: float | None
    ) -> Written:
        now_ms = int(self._clock.wall() * 1000)
        limit = lane.batch_bytes_max
        if len(records) == 1:
            # Whoever put a larger one alone knows that it shrinks below the topic's limit.
            alone = records[0]
            limit = max(limit, batch_size_alone(alone.key, len(alone.value), alone.headers))
        batch, count = build_batch(records, limit, self._options.codec, now_ms)
        if count < len(records):
            raise TooLarge(f"{len(records)} records do not fit into a batch of {limit} bytes")
        guard, size = self._guard(), batch.size()
        if guard is None:
            return await self._producer.send(lane.topic, lane.partition, batch, timeout_s)
        guard.admit(lane.topic, lane.partition, size)
        offset_next: int | None = None
        try:
            written = await self._producer.send(lane.topic, lane.partition, batch, timeout_s)
            offset_next = written.offset + len(records) if written.offset >= 0 else None
        finally:
            guard.written(lane.topic, lane.partition, size, offset_next)
        return written

    async def _ship_smaller(self, lane: _Lane, entries: list[Entry], error: TooLarge) -> None:
        """The broker takes less than we knew: halve the batch, then the entry, until it fits."""
        log.warning(
            "kafka_batch_too_large",
            topic=lane.topic,
            partition=lane.partition,
            records=len(entries),
            reason=str(error),
        )
        if len(entries) > 1:
            middle = len(entries) // 2
            await self._ship(lane, entries[:middle])
            await self._ship(lane, entries[middle:])
            return
        (entry,) = entries
        for smaller in entry.shrinker.shrink(entry, len(entry.value) // 2):
            await self._ship(lane, [smaller])


def _timeout_s(entries: Iterable[Entry]) -> float | None:
    """Seconds until the last waiting caller gives up; `None` if one of them never does."""
    longest_s = 0.0
    for entry in entries:
        if entry.ticket.live:
            if entry.ticket.deadline is None:
                return None
            longest_s = max(longest_s, entry.ticket.deadline.remaining_s)
    return longest_s


def _fail(entries: Iterable[Entry], error: DeliveryError) -> None:
    for entry in entries:
        entry.ticket.failed(error)


def _doubt(entries: Iterable[Entry], sign: int) -> None:
    """From its first attempt on until it is acknowledged or refused, a batch may be written."""
    for entry in entries:
        entry.ticket.in_doubt_items += sign * entry.items
