"""The lanes of one consumer and the deliveries that run in them."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
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


def where_is(lane: Lane) -> TopicPartition:
    """The partition of *lane*, as the client calls it."""
    return TopicPartition(lane.topic, lane.partition)


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

    async def prepare_lane(self, lane: Lane) -> None:
        """Make ready for *lane*; reading begins afterwards. Bounds its own waiting."""
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

    def lane_frozen(self, lane: Lane) -> None:
        """The assignment of *lane* is about to end: pass on nothing more of it."""
        ...

    async def wait_lane_quiet(self, lane: Lane) -> None:
        """Wait until nothing of a frozen *lane* is under way behind a stage that holds records."""
        ...

    def lane_resumed(self, lane: Lane) -> None:
        """The assignment of *lane* came back as it was."""
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
        self.frozen: dict[TopicPartition, Lane] = {}
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

    def resume(self, lane: Lane) -> None:
        """A frozen lane is assigned to us again; it goes on once it is `resumed`."""
        partition = where_is(lane)
        self.epoch += 1
        lane.epoch = self.epoch
        del self.frozen[partition]
        self.lanes[partition] = lane
        self._client.set_paused(partition, True)

    def resumed(self, lane: Lane) -> None:
        """*lane* goes on where it stood."""
        lane.thaw(lane.epoch)
        lane.paused = True
        self._handler.lane_resumed(lane)
        self._pump(lane)

    async def freeze(self, lanes: Iterable[Lane], deadline: Deadline) -> None:
        """
        Stop *lanes* as `drain` does, and keep those in `frozen` that may go on as they are.

        Those are lanes of which some stage holds records. A lane whose delivery had to be broken
        off, or that is not open yet, is drained only.
        """
        lanes = list(lanes)
        for lane in lanes:
            if lane.opened:
                lane.freeze()
        broken = await self._quiet(lanes, deadline)
        await self._cancel(lanes, but_held=True)
        for lane in lanes:
            partition = where_is(lane)
            if lane in broken or not any(chunk.is_held for chunk in lane.started):
                lane.frozen = False
                lane.drain()
                await self._cancel([lane])
            elif self.lanes.get(partition) is lane:
                self.frozen[partition] = self.lanes.pop(partition)

    async def drain(self, lanes: Iterable[Lane], deadline: Deadline) -> None:
        """
        Start nothing more in *lanes*, wait for deliveries in flight, give up the others.

        Records that a stage keeps for long (`Lane.hold`) are not waited for, nor is anything that
        waits for its next attempt: the next owner reads them again.
        """
        lanes = list(lanes)
        for lane in lanes:
            lane.drain()
        await self._quiet(lanes, deadline)
        await self._cancel(lanes)

    async def _quiet(self, lanes: Sequence[Lane], deadline: Deadline) -> set[Lane]:
        """Wait for what is in flight in *lanes*; those where it was not done at the deadline."""
        told = [lane for lane in lanes if lane.opened and not lane.closed]
        for lane in told:
            self._handler.lane_frozen(lane)
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
        broken = {lane for lane in lanes if self._busy([lane])}
        try:
            async with asyncio.timeout(deadline.remaining_s):
                for lane in told:
                    await self._handler.wait_lane_quiet(lane)
        except TimeoutError:
            log.warning("kafka_drain_incomplete", deliveries="of a stage that holds records")
        return broken

    def close(self, lanes: Iterable[Lane]) -> None:
        """End the assignment of *lanes*; what they still have is forgotten."""
        for lane in list(lanes):
            was_open = lane.opened and not lane.closed
            lane.close()
            partition = where_is(lane)
            if self.lanes.get(partition) is lane:
                del self.lanes[partition]
                self._figures.hide(lane)
            elif self.frozen.get(partition) is lane:
                del self.frozen[partition]
                self._figures.hide(lane)
            for chunk in lane.started:
                if chunk in self._tasks:
                    self._tasks[chunk].cancel()
            if was_open:
                self._handler.lane_closed(lane)

    def _busy(self, lanes: Iterable[Lane]) -> set[asyncio.Task[None]]:
        return {
            self._tasks[chunk]
            for lane in lanes
            for chunk in lane.started
            if chunk.busy and not chunk.is_held and chunk in self._tasks
        }

    async def _cancel(self, lanes: Iterable[Lane], *, but_held: bool = False) -> None:
        tasks = [
            self._tasks[chunk]
            for lane in lanes
            for chunk in lane.started
            if chunk in self._tasks and not (but_held and chunk.is_held)
        ]
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
            task = self._tasks[chunk] = self._group.create_task(self._deliver(lane, chunk))
            # A task that is cancelled before its first step runs no `finally` of its own, and what
            # it had would be lost to a lane that goes on.
            task.add_done_callback(partial(self._ended, lane, chunk))
        pause = lane.should_pause()
        if pause != lane.paused:
            lane.paused = pause
            self._client.set_paused(where_is(lane), pause)

    async def _deliver(self, lane: Lane, chunk: Chunk) -> None:
        try:
            await self._handler.deliver(lane, chunk)
        except asyncio.CancelledError:
            lane.drain()  # Nobody cancels one delivery: the lane, or everything, comes to its end.
            raise

    def _ended(self, lane: Lane, chunk: Chunk, task: asyncio.Task[None]) -> None:
        self._tasks.pop(chunk, None)
        lane.end(chunk)
        if lane.frozen and not lane.closed:
            lane.put_back(chunk)
