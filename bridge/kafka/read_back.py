"""
Where to begin reading for a stage that needs to see again what was finished before.

A record may be finished while a later one of one of its traces is not. Whoever takes the partition
over would judge that trace by its later records alone, so records from some time before the first
unfinished one are read as context (design, section 9 rule 3).
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.kafka.closing import close_client

TIMEOUT_S = 15.0
"""Seconds for all questions together."""

LOOK_S = 3.0
"""Seconds to look for records at the first unfinished one; without any it may be as late as now."""

LOOK_RECORDS = 20
"""
Records up to the first unfinished one that tell what time it is there. Half of them at most are
read back too much, which costs little; one producer's wrong clock moves nothing.
"""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """
    The first unfinished offset of a log from `begin` to `end`, and how far back is to be read.

    `start` equals `end` if everything was finished; `read_back_s` is seconds of record time.
    """

    start: int
    begin: int
    end: int
    read_back_s: float

    @property
    def look_at(self) -> int:
        """Where the records begin that tell the time."""
        return max(self.begin, self.start - LOOK_RECORDS)


async def find_context(
    connection: Mapping[str, Any],
    wanted: Mapping[TopicPartition, Unfinished],
    wall: Callable[[], float] = time.time,
) -> dict[TopicPartition, int]:
    """
    The offset to read from, for each of *wanted*: at most its `start`.

    Raises:
        KafkaError, OSError: If the brokers do not answer within `TIMEOUT_S`.
    """
    found = {place: each.start for place, each in wanted.items()}
    open_ended = {place: each for place, each in wanted.items() if each.begin < each.start}
    if not open_ended:
        return found  # There is nothing before.
    consumer = AIOKafkaConsumer(**connection, enable_auto_commit=False)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await consumer.start()
            stamps = await _look(consumer, open_ended)
            targets = {
                place: target_ms(each, stamps.get(place, ()), int(wall() * 1000))
                for place, each in open_ended.items()
            }
            answers = await consumer.offsets_for_times(targets)
    finally:
        await close_client(consumer)
    for place, each in open_ended.items():
        answer = answers.get(place)
        if answer is not None:
            found[place] = max(each.begin, min(answer.offset, each.start))
        elif place in stamps:
            # There are records after that time. A broker that cannot tell where (librdkafka's mock)
            # keeps few of them.
            found[place] = each.begin
    return found


def target_ms(each: Unfinished, stamps: Sequence[int], now_ms: int) -> int:
    """
    The time to read from, given the timestamps from `look_at` to the first unfinished record.

    Their median counts, and nothing beyond now: a producer that is hours behind does not have hours
    read back, and one that is hours ahead does not hide what is needed.
    """
    at_ms = min(statistics.median_low(stamps), now_ms) if stamps else now_ms
    return max(0, at_ms - round(each.read_back_s * 1000))


async def _look(
    consumer: AIOKafkaConsumer, wanted: Mapping[TopicPartition, Unfinished]
) -> dict[TopicPartition, list[int]]:
    """Timestamps from `look_at` to `start` of each; partitions without any are left out."""
    consumer.assign(list(wanted))
    for place, each in wanted.items():
        consumer.seek(place, each.look_at)
    stamps: dict[TopicPartition, list[int]] = {}
    until_s = time.monotonic() + LOOK_S
    while len(consumer.paused()) < len(wanted) and (left_s := until_s - time.monotonic()) > 0:
        records = await consumer.getmany(
            timeout_ms=round(left_s * 1000), max_records=(LOOK_RECORDS + 1) * len(wanted)
        )
        for place, some in records.items():
            consumer.pause(place)
            start = wanted[place].start
            if near := [one.timestamp for one in some if one.offset <= start]:
                stamps.setdefault(place, near)
    return stamps
