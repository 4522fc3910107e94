"""What is known of a partition that is written to, and of its batch under way."""

import asyncio
from collections import deque
from collections.abc import Callable

from aiokafka import TopicPartition

from bridge.kafka.packing import Entry
from bridge.kafka.raw_producer import RawProducer, Written
from bridge.kafka.record_batch import OutRecord


class Lane:
    """A partition with work: its batch is in `flight`, or `task` is in trouble with it."""

    __slots__ = ("batch_bytes_max", "entries", "flight", "task", "where")

    def __init__(self, where: TopicPartition) -> None:
        self.where = where
        self.entries: deque[Entry] = deque()
        self.batch_bytes_max = 0
        self.flight: Flight | None = None
        self.task: asyncio.Task[None] | None = None


class Flight:
    """
    A batch under way that nothing has gone wrong with.

    `raw` is the producer that has it, since *began_s* on the clock of the flusher.
    """

    __slots__ = ("_tell", "began_s", "entries", "lane", "raw", "records")

    def __init__(
        self,
        tell: Callable[["Flight", Written | BaseException], None],
        lane: Lane,
        entries: list[Entry],
        records: list[OutRecord],
        began_s: float,
    ) -> None:
        self._tell = tell
        self.lane = lane
        self.entries = entries
        self.records = records
        self.began_s = began_s
        self.raw: RawProducer | None = None

    def landed(self, outcome: Written | BaseException) -> None:
        """Hear where the batch was written, or why not."""
        self._tell(self, outcome)
