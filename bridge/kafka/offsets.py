"""Moving the committed offsets of a group that nobody is in: ``otlp-bridge offsets reset``."""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.core import Refused
from bridge.kafka.closing import close_client
from bridge.kafka.errors import map_kafka_error
from bridge.kafka.inspection import GroupFacts, inspect_cluster
from bridge.kafka.lag import PartitionLag, read_lag

TIMEOUT_S = 20.0
"""Seconds for all questions of one step."""


@dataclass(frozen=True, slots=True)
class ResetTarget:
    """
    Where a group is to go on: exactly one of the four.

    `time_ms` is since the epoch: the first record with this time stamp or a later one.
    """

    earliest: bool = False
    latest: bool = False
    time_ms: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class OffsetMove:
    """
    One partition: where the group is, and where it is to go on.

    `committed` is `None` if nothing is.
    """

    topic: str
    partition: int
    begin: int
    end: int
    committed: int | None
    target: int

    @property
    def again(self) -> int:
        """Records that will be delivered once more."""
        return max(0, min(self._now, self.end) - self.target)

    @property
    def skipped(self) -> int:
        """Records that were not delivered and will not be any more."""
        return max(0, self.target - max(self._now, self.begin))

    @property
    def _now(self) -> int:
        # A group that committed nothing has delivered nothing: it would begin at the beginning.
        return self.begin if self.committed is None else self.committed


async def describe_group(connection: Mapping[str, Any], group: str) -> GroupFacts:
    """
    State and members of *group*.

    Raises:
        Unavailable, Denied: If the brokers do not answer, or do not let us.
    """
    facts = await inspect_cluster(connection, groups=[group], timeout_s=TIMEOUT_S)
    return facts.groups[group]


async def plan_reset(
    connection: Mapping[str, Any],
    group: str,
    topics: Collection[str],
    patterns: Sequence[re.Pattern[str]],
    target: ResetTarget,
    partition: int | None = None,
) -> list[OffsetMove]:
    """
    What a reset would do, for each partition of *topics* and of those that match; ascending.

    Args:
        partition: Only this one.

    Raises:
        Refused: If an offset is wanted that a partition does not have.
        Unavailable, Denied: If the brokers do not answer, or do not let us.
    """
    lags = [
        lag
        for lag in await read_lag(connection, group, topics, patterns)
        if partition is None or lag.partition == partition
    ]
    targets = await _targets(connection, lags, target)
    return [
        OffsetMove(lag.topic, lag.partition, lag.begin, lag.end, lag.committed, offset)
        for lag, offset in zip(lags, targets, strict=True)
    ]


async def reset_offsets(
    connection: Mapping[str, Any], group: str, moves: Sequence[OffsetMove]
) -> None:
    """
    Commit the targets of *moves* for *group*, which must have no members.

    What the group finished beyond its commits is forgotten with them: it is delivered again.

    Raises:
        Refused: If somebody joined the group meanwhile; nothing was changed.
        Unavailable, Denied: If the brokers do not answer, or do not let us.
    """
    consumer = AIOKafkaConsumer(**connection, group_id=group, enable_auto_commit=False)
    offsets = {TopicPartition(move.topic, move.partition): (move.target, "") for move in moves}
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await consumer.start()
            consumer.assign(list(offsets))
            await consumer.commit(offsets)
    except kafka.CommitFailedError as error:
        raise Refused(f"somebody is in group {group} again: nothing was changed") from error
    except (kafka.KafkaError, OSError) as error:
        what = f"reset offsets of {group}"
        raise map_kafka_error(error, what=what, group=group) from error
    finally:
        await close_client(consumer)


async def _targets(
    connection: Mapping[str, Any], lags: Sequence[PartitionLag], target: ResetTarget
) -> list[int]:
    if target.earliest:
        return [lag.begin for lag in lags]
    if target.latest:
        return [lag.end for lag in lags]
    if target.offset is not None:
        for lag in lags:
            if not lag.begin <= target.offset <= lag.end:
                raise Refused(
                    f"{lag.topic}/{lag.partition} has the offsets {lag.begin} to {lag.end}, not "
                    f"{target.offset}; choose one partition with --topic and --partition"
                )
        return [target.offset for _ in lags]
    assert target.time_ms is not None  # noqa: S101 - the one that is left
    return await _at_time(connection, lags, target.time_ms)


async def _at_time(
    connection: Mapping[str, Any], lags: Sequence[PartitionLag], time_ms: int
) -> list[int]:
    places = [TopicPartition(lag.topic, lag.partition) for lag in lags]
    consumer = AIOKafkaConsumer(**connection, enable_auto_commit=False)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await consumer.start()
            found = await consumer.offsets_for_times(dict.fromkeys(places, time_ms))
    except (kafka.KafkaError, OSError) as error:
        raise map_kafka_error(error, what="look for records by their time stamps") from error
    finally:
        await close_client(consumer)
    return [
        lag.end if (at := found.get(place)) is None else max(lag.begin, at.offset)
        for lag, place in zip(lags, places, strict=True)
    ]
