"""Fakes for the consuming half: a client that a test scripts, records, a handler."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from bridge.core import NO_METADATA
from bridge.flow import Chunk, Lane, LaneLimits, ReadRecord, SourceRecord
from bridge.kafka import Windows
from bridge.kafka.consumer import Committed
from bridge.testing import settle

LIMITS = LaneLimits(window_bytes_max=1000, batches_max=2, batch_bytes_max=100)
WINDOWS = Windows(LIMITS, 10_000)
ONE, TWO = TopicPartition("spans", 0), TopicPartition("spans", 1)


def record(offset: int, where: TopicPartition = ONE, value: bytes = b"x" * 60) -> Any:
    """One record as aiokafka hands it out."""
    return ConsumerRecord(*where, offset, 1000 + offset, 0, None, value, None, -1, len(value), ())


def as_read(records: Iterable[SourceRecord]) -> list[ReadRecord]:
    """What a reader makes of records."""
    return [ReadRecord(r.offset, r.timestamp, r.value or b"", 1, NO_METADATA, r) for r in records]


@dataclass
class FakeClient:
    """Fulfils what is asked of `ConsumerClient`, from scripts and tables."""

    polls: deque[Any] = field(default_factory=deque)
    probes: dict[TopicPartition, deque[Any]] = field(default_factory=dict)
    ours: set[TopicPartition] = field(default_factory=lambda: {ONE, TWO})
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    ends: dict[TopicPartition, tuple[int, int]] = field(default_factory=dict)
    commits: list[dict[TopicPartition, tuple[int, str]]] = field(default_factory=list)
    commit_errors: deque[Exception] = field(default_factory=deque)
    seeks: list[tuple[TopicPartition, int]] = field(default_factory=list)
    paused: dict[TopicPartition, bool] = field(default_factory=dict)
    committed_offsets: dict[TopicPartition, Committed] = field(default_factory=dict)
    broken: str = ""
    generation: int = 1
    has_twin: bool = False

    async def poll(
        self, partitions: Iterable[TopicPartition], timeout_s: float, records_max: int
    ) -> Mapping[TopicPartition, Sequence[Any]]:
        await settle(1)
        asked = list(partitions)
        script = self.probes.get(asked[0]) if len(asked) == 1 else None
        script = self.polls if script is None else script
        answer = script.popleft() if script else {}
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, dict)
        for partition, records in answer.items():
            self.positions[partition] = records[-1].offset + 1
        return answer

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self.ours)

    def position(self, partition: TopicPartition) -> int | None:
        return self.positions.get(partition)

    def high_watermark(self, partition: TopicPartition) -> tuple[int, int] | None:
        return self.ends.get(partition)

    def at_end(self, lane: Lane) -> bool:
        return False

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.seeks.append((partition, offset))
        self.positions[partition] = offset

    def set_paused(self, partition: TopicPartition, paused: bool) -> None:
        self.paused[partition] = paused

    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        if self.commit_errors:
            raise self.commit_errors.popleft()
        self.commits.append(dict(offsets))

    async def committed(self, partitions: Collection[TopicPartition]) -> Any:
        return self.committed_offsets


@dataclass
class FakeHandler:
    """Fulfils `LaneHandler`; *work* is what a delivery does."""

    work: Callable[[Lane, Chunk], Any] | None = None
    delivered: list[int] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    prepared: list[bool] = field(default_factory=list)
    back_s: float = 0.0
    loud: asyncio.Event | None = None

    def read(self, lane: Lane, records: Sequence[SourceRecord]) -> list[ReadRecord]:
        return as_read(records)

    async def deliver(self, lane: Lane, chunk: Chunk) -> None:
        if self.work is not None:
            await self.work(lane, chunk)
        if not lane.closed:
            self.delivered += [entry.offset for entry in chunk.entries]
        lane.finish([entry.offset for entry in chunk.entries])

    def read_back_s(self, lane: Lane) -> float:
        return self.back_s

    async def prepare_lane(self, lane: Lane) -> None:
        self.prepared.append(lane.opened)

    def lane_opened(self, lane: Lane) -> None:
        self.events.append(f"opened {lane.topic}/{lane.partition} {lane.epoch}")

    def lane_frozen(self, lane: Lane) -> None:
        self.events.append(f"frozen {lane.topic}/{lane.partition} {lane.epoch}")

    async def wait_lane_quiet(self, lane: Lane) -> None:
        if self.loud is not None:
            await self.loud.wait()

    def lane_resumed(self, lane: Lane) -> None:
        self.events.append(f"resumed {lane.topic}/{lane.partition} {lane.epoch}")

    def lane_closed(self, lane: Lane) -> None:
        self.events.append(f"closed {lane.topic}/{lane.partition} {lane.epoch}")
