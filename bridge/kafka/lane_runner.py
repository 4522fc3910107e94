"""The lanes of one consumer and the deliveries that run in them."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog
from aiokafka import TopicPartition

from bridge.core import Deadline
from bridge.flow import Chunk, Lane, LaneLimits, ReadRecord, SourceRecord
from bridge.kafka.consumer import ConsumerClient
from bridge.kafka.lane_figures import LaneFigures

log = structlog.get_logger()

CANCEL_TIMEOUT_S = 2.0
"""Seconds that a cancelled delivery has to let go."""


class LaneHandler(Protocol):
    """What a receiver does with the records of lanes."""

    def read(self, lane: Lane, records: Sequence[SourceRecord]) -> list[ReadRecord]:
        """Make entries of records; an undecodable one becomes an entry with a fault."""
        ...

    async def deliver(self, lane: Lane, chunk: Chunk) -> None:
        """
        Deliver *chunk* and finish its records with the lane, however long that takes.

        Returns early, with records unfinished, if the lane drains, or is stuck at one of them.
        Sets `Chunk.busy` while a stage has it. Raises nothing.
        """
        ...

    def lane_opened(self, lane: Lane) -> None:
        """Reading of *lane* begins."""
        ...

    def read_back_s(self, lane: Lane) -> float:
        """
        Seconds of record time before the first unfinished record that are read as context.

        Those records, and finished ones beyond, come in chunks of their own (`Chunk.context`).
        0 if nobody wants them.
        """
        ...

    def lane_closed(self, lane: Lane) -> None:
        """The assignment of *lane* ended; called only for lanes that were opened."""
        ...


@dataclass(frozen=True, slots=True)
class Windows:
    """
    How much may be unfinished: `each` for a lane, `total_bytes_max` for all of them together.

    Every lane gets an equal share of the total, so that lanes that stand still take nothing from
    the others.
    """

    each: LaneLimits
    total_bytes_max: int

    def share(self, lanes: int) -> LaneLimits:
        """The limits of one of so many lanes."""
        share = self.total_bytes_max // max(1, lanes)
        return replace(self.each, window_bytes_max=max(1, min(self.each.window_bytes_max, share)))


class LaneRunner:
    """
    Starts deliveries as lanes allow, and tells the client which partitions to pause.

    Args:
        group:
            Owns the deliveries.
        epoch:
            Number of the last assignment that this process had before.
    """

    def __init__(
        self,
        client: ConsumerClient,
        handler: LaneHandler,
        figures: LaneFigures,
        windows: Windows,
        group: asyncio.TaskGroup,
        epoch: int,
    ) -> None:
        self._client = client
        self._handler = handler
        self._figures = figures
        self._windows = windows
        self._group = group
        # What changes: the current lanes, their deliveries, and who wants to hear of changes.
        self.epoch = epoch
        self.lanes: dict[TopicPartition, Lane] = {}
        self._tasks: dict[Chunk, asyncio.Task[None]] = {}
        self._stirred = asyncio.Event()

    def assign(self, partitions: Iterable[TopicPartition]) -> list[Lane]:
        """Make lanes for newly assigned partitions; they read nothing until they are opened."""
        wanted = list(partitions)
        self.epoch += 1
        limits = self._windows.share(len(set(self.lanes) | set(wanted)))
        made = []
        for partition in wanted:
            lane = Lane(
                partition.topic,
                partition.partition,
                self.epoch,
                limits,
                self._changed,
                self._client.at_end,
            )
            self.lanes[partition] = lane
            self._client.set_paused(partition, True)
            made.append(lane)
        return made

    def opened(self, lane: Lane) -> None:
        """*lane* knows where it begins: read."""
        self._figures.show(lane)
        self._handler.lane_opened(lane)
        self._pump(lane)

    def take(self, lane: Lane, records: Sequence[SourceRecord]) -> None:
        """Read *records* into *lane* and start what may start."""
        if lane.opened and not lane.closed:
            self.take_entries(lane, self._handler.read(lane, records))

    def take_entries(self, lane: Lane, entries: Sequence[ReadRecord]) -> None:
        """The same for records that were read already."""
        skipped, context = lane.skipped, lane.context_records
        lane.admit(entries)
        if lane.skipped > skipped:
            self._figures.skipped(lane, lane.skipped - skipped)
        if lane.context_records > context:
            self._figures.read_back(lane, lane.context_records - context)
        self._pump(lane)

    async def drain(self, lanes: Iterable[Lane], deadline: Deadline) -> None:
        """
        Start nothing more in *lanes*, wait for deliveries in flight, give up the others.

        Records that a stage keeps for long (`Lane.hold`) are not waited for, nor is anything that
        waits for its next attempt: the next owner reads them again.
        """
        lanes = list(lanes)
        for lane in lanes:
            lane.drain()
        while (busy := self._busy(lanes)) and not deadline.expired:
            self._stirred.clear()
            stirred = asyncio.ensure_future(self._stirred.wait())
            try:
                await asyncio.wait(
                    {*busy, stirred},
                    timeout=deadline.remaining_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                stirred.cancel()
        if busy:
            log.warning("kafka_drain_incomplete", deliveries=len(busy))
        await self._cancel(lanes)

    def close(self, lanes: Iterable[Lane]) -> None:
        """End the assignment of *lanes*; what they still have is forgotten."""
        for lane in list(lanes):
            was_open = lane.opened and not lane.closed
            lane.close()
            partition = TopicPartition(lane.topic, lane.partition)
            if self.lanes.get(partition) is lane:
                del self.lanes[partition]
                self._figures.hide(lane)
            if was_open:
                self._handler.lane_closed(lane)

    def _busy(self, lanes: Iterable[Lane]) -> set[asyncio.Task[None]]:
        return {
            self._tasks[chunk]
            for lane in lanes
            for chunk in lane.started
            if chunk.busy and not chunk.is_held and chunk in self._tasks
        }

    async def _cancel(self, lanes: Iterable[Lane]) -> None:
        tasks = [self._tasks[c] for lane in lanes for c in lane.started if c in self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CANCEL_TIMEOUT_S)

    def _changed(self, lane: Lane) -> None:
        self._stirred.set()
        if not lane.draining:
            self._pump(lane)

    def _pump(self, lane: Lane) -> None:
        while (chunk := lane.start_next()) is not None:
            self._tasks[chunk] = self._group.create_task(self._deliver(lane, chunk))
        pause = lane.should_pause()
        if pause != lane.paused:
            lane.paused = pause
            self._client.set_paused(TopicPartition(lane.topic, lane.partition), pause)

    async def _deliver(self, lane: Lane, chunk: Chunk) -> None:
        try:
            await self._handler.deliver(lane, chunk)
        except asyncio.CancelledError:
            lane.drain()  # Nobody cancels one delivery: the lane, or everything, comes to its end.
            raise
        finally:
            self._tasks.pop(chunk, None)
            lane.end(chunk)
