"""
Commits under watch: what the group committed, every 200 ms, judged against the oracle.

A commit is early if some record below it held a span that was not yet delivered, dead-lettered or
dropped by a named rule at the moment at which the commit could be read.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.faults.cluster import Cluster
from tests.faults.oracle import Oracle

INTERVAL_S = 0.2
ANSWER_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What was committed at a moment, by partition."""

    at: float
    offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Stored:
    """One record of the topic and the spans in it."""

    partition: int
    offset: int
    ids: tuple[bytes, ...]


@dataclass
class CommitWatch:
    """Polls until `stop`; brokers that are away cost samples and nothing else."""

    cluster: Cluster
    group: str
    topic: str
    samples: list[Sample] = field(default_factory=list)
    unanswered: int = 0

    def __post_init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._admin: AIOKafkaAdminClient | None = None

    def start(self) -> None:
        """Begin to poll."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End polling. Safe twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._close()

    async def sample(self) -> Sample | None:
        """What is committed now, or nothing if no broker tells."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                if self._admin is None:
                    self._admin = AIOKafkaAdminClient(
                        bootstrap_servers=self.cluster.bootstrap, request_timeout_ms=2000
                    )
                    await self._admin.start()
                found = await self._admin.list_consumer_group_offsets(self.group)
        except (KafkaError, OSError, ValueError, RuntimeError):
            self.unanswered += 1
            await self._close()
            return None
        sample = Sample(
            time.time(),
            {
                where.partition: entry.offset
                for where, entry in found.items()
                if where.topic == self.topic and entry.offset >= 0
            },
        )
        if not self.samples or self.samples[-1].offsets != sample.offsets:
            self.samples.append(sample)
        return sample

    async def _run(self) -> None:
        while True:
            await self.sample()
            await asyncio.sleep(INTERVAL_S)

    async def _close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            with suppress(KafkaError, OSError):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await admin.close()


def early_commits(
    samples: Sequence[Sample], records: Sequence[Stored], oracle: Oracle
) -> list[str]:
    """Every commit that was ahead of something unresolved, or that went back, in words."""
    found: list[str] = []
    resolved: dict[int, list[tuple[int, float]]] = {}
    for record in sorted(records, key=lambda r: (r.partition, r.offset)):
        line = resolved.setdefault(record.partition, [])
        before = line[-1][1] if line else 0.0
        last = max((oracle.resolved_at(key) for key in record.ids), default=0.0)
        line.append((record.offset, max(before, last)))
    highest: dict[int, int] = {}
    for sample in samples:
        for partition, offset in sample.offsets.items():
            if offset < highest.get(partition, 0):
                found.append(f"{partition} went back from {highest[partition]} to {offset}")
            highest[partition] = max(offset, highest.get(partition, 0))
            below = [at for where, at in resolved.get(partition, ()) if where < offset]
            if below and below[-1] > sample.at:
                late_s = below[-1] - sample.at
                found.append(
                    f"{partition}@{offset} committed {late_s:.3f} s before it was resolved"
                )
    return found


def uncommitted_at(
    at: float, samples: Sequence[Sample], records: Sequence[Stored], oracle: Oracle
) -> int:
    """Spans that were delivered by *at* in records that were not committed by then."""
    offsets = committed_at(at, samples)
    return sum(
        1
        for record in records
        if record.offset >= offsets.get(record.partition, 0)
        for key in record.ids
        if oracle.delivered_at.get(key, float("inf")) <= at
    )


def read_at(
    at: float, ends: Mapping[int, int], samples: Sequence[Sample], records: Sequence[Stored]
) -> int:
    """Spans that may have been read by *at*, when logs ended at *ends*, and were not committed."""
    offsets = committed_at(at, samples)
    return sum(
        len(record.ids)
        for record in records
        if offsets.get(record.partition, 0) <= record.offset < ends.get(record.partition, 0)
    )


def committed_at(at: float, samples: Sequence[Sample]) -> Mapping[int, int]:
    """The offsets that were committed by *at*, by partition."""
    offsets: Mapping[int, int] = {}
    for sample in samples:
        if sample.at > at:
            break
        offsets = sample.offsets
    return offsets
