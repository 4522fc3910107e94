"""Where assigned partitions begin, and whether those that came back may go on."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiokafka.errors as kafka
import structlog
from aiokafka import TopicPartition

from bridge.core import Clock
from bridge.flow import Lane
from bridge.kafka.beginning import Beginning, InitialOffset, choose_beginning
from bridge.kafka.consumer import Committed, ConsumerClient
from bridge.kafka.lane_runner import LaneHandler, LaneRunner, where_is
from bridge.kafka.read_back import Unfinished, find_context
from bridge.kafka.rebalance import Rebalance
from bridge.kafka.trouble import Troubles

log = structlog.get_logger()

RETRY_INTERVAL_S = 1.0
"""Seconds before a failed look at offsets is repeated; a partition does not read meanwhile."""


@dataclass(frozen=True, slots=True)
class Looking:
    """How to look: the connection, where a new group begins, and whether islands are ours."""

    connection: Mapping[str, Any]
    initial: InitialOffset
    islands: bool


class Opener:
    """
    Lets lanes begin, or go on, once group and brokers said where.

    Args:
        reopen:
            Begins partitions anew of which what we held is not the truth any more.
    """

    def __init__(
        self,
        client: ConsumerClient,
        handler: LaneHandler,
        looking: Looking,
        rebalance: Rebalance,
        troubles: Troubles,
        clock: Clock,
        reopen: Callable[[list[TopicPartition]], None],
    ) -> None:
        self._client = client
        self._handler = handler
        self._looking = looking
        self._rebalance = rebalance
        self._troubles = troubles
        self._clock = clock
        self._reopen = reopen

    async def open(self, runner: LaneRunner, lanes: list[Lane]) -> None:
        """Find out where to begin with each of *lanes*, for as long as they are ours."""
        while waiting := [lane for lane in lanes if not lane.closed and not lane.opened]:
            where = {where_is(lane): lane for lane in waiting}
            try:
                beginnings, contexts = await self._beginnings(where)
            except (kafka.KafkaError, OSError) as error:
                self._troubles.raised("offsets", error, what="look where to begin")
                await self._clock.sleep(RETRY_INTERVAL_S)
                continue
            self._troubles.well("offsets")
            await asyncio.gather(*(self._handler.prepare_lane(lane) for lane in waiting))
            for partition, lane in where.items():
                if lane.closed:
                    continue
                beginning = beginnings[partition]
                _log_beginning(lane, beginning)
                self._rebalance.lost(lane, beginning.lost_records)
                lane.open(beginning.start, beginning.islands, contexts.get(partition))
                self._client.seek(partition, lane.position)
                runner.opened(lane)

    async def resume(self, runner: LaneRunner, lanes: list[Lane]) -> None:
        """Let *lanes* go on, which came back in the very next generation, for as long as ours."""
        epoch = runner.epoch
        while waiting := {
            where: lane
            for where, lane in runner.lanes.items()
            if lane in lanes and lane.frozen and lane.epoch <= epoch
        }:
            try:
                committed = await self._client.committed(waiting)
                bounds = await self._client.log_bounds(waiting)
            except (kafka.KafkaError, OSError) as error:
                self._troubles.raised("offsets", error, what="look where to go on")
                await self._clock.sleep(RETRY_INTERVAL_S)
                continue
            self._troubles.well("offsets")
            for partition, lane in waiting.items():
                if lane.closed or not lane.frozen or runner.lanes.get(partition) is not lane:
                    continue
                if _still_holds(lane, committed.get(partition), *bounds[partition]):
                    self._client.seek(partition, lane.position)
                    runner.resumed(lane)
                    self._rebalance.resumed()
                else:
                    log.warning(
                        "kafka_held_records_dropped", topic=lane.topic, partition=lane.partition
                    )
                    self._reopen([partition])

    async def _beginnings(
        self, lanes: Mapping[TopicPartition, Lane]
    ) -> tuple[dict[TopicPartition, Beginning], dict[TopicPartition, int]]:
        """Where to begin with each, and where to read from if some stage wants to see before it."""
        committed = await self._client.committed(lanes)
        bounds = await self._client.log_bounds(lanes)
        beginnings, wanted = {}, {}
        for partition, lane in lanes.items():
            commit = committed.get(partition)
            beginning = beginnings[partition] = choose_beginning(
                commit,
                *bounds[partition],
                self._looking.initial,
                use_islands=self._looking.islands,
            )
            back_s = self._handler.read_back_s(lane)
            if commit is not None and back_s > 0:
                wanted[partition] = Unfinished(beginning.start, *bounds[partition], back_s)
        contexts = await find_context(self._looking.connection, wanted) if wanted else {}
        return beginnings, contexts


def _still_holds(lane: Lane, commit: Committed | None, begin: int, end: int) -> bool:
    """Whether group and log are as *lane* left them."""
    if commit is None:
        unmoved = lane.last_commit is None
    else:
        # An unanswered last commit may have been taken.
        least = lane.last_commit[0] if lane.last_commit is not None else commit.offset
        unmoved = least <= commit.offset <= lane.book.committed
    return unmoved and begin <= lane.position <= end


def _log_beginning(lane: Lane, beginning: Beginning) -> None:
    where = {"topic": lane.topic, "partition": lane.partition, "offset": beginning.start}
    if beginning.lost_records:
        log.error("kafka_records_expired", **where, records=beginning.lost_records)
    if beginning.reset:
        log.error("kafka_offset_beyond_log", **where)
    if beginning.islands_refused:
        log.info("kafka_islands_discarded", **where, reason=beginning.islands_refused)
