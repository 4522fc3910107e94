"""
Traces in halves, straight into Kafka, for samplers that are killed and rebalanced meanwhile.

Every third trace has an error, and only its second half says so. The oracle knows every span: those
of the other traces must never come out, those of failed ones must, whole; and no commit may pass a
record of a failed trace before all of it has arrived.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Signal
from bridge.testing import Made, Order, trace_request
from tests.bridge_process import BridgeProcess
from tests.faults import configs
from tests.faults.oracle import Oracle, OracleBackend
from tests.faults.table import Row
from tests.faults.watch import CommitWatch, Stored, early_commits, uncommitted_at
from tests.kafka_client import Kafka
from tests.kafka_server import free_port

DECISION_WAIT_S = 4.0
TICK_S = 0.1
NEW_TRACES = 2
SECOND_HALF_S = (0.2, 1.5)
JOIN_TIMEOUT_S = 40.0

SAMPLING: dict[str, Any] = {
    "tail_sampling": {
        "decision_wait": f"{DECISION_WAIT_S:g}s",
        "policies": [
            {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
        ],
    }
}


def halves(seed: int, failed: bool, order: Order) -> tuple[Made, Made]:
    """One trace of four spans in two requests; if it failed, the last span says so."""
    whole = trace_request(1, 4, seed=seed, failed_share=float(failed))
    request = ExportTraceServiceRequest.FromString(whole.body)
    spans = list(request.resource_spans[0].scope_spans[0].spans)
    parts = []
    for share in (slice(0, 2), slice(2, 4)):
        part = ExportTraceServiceRequest()
        part.CopyFrom(request)
        del part.resource_spans[0].scope_spans[0].spans[:]
        part.resource_spans[0].scope_spans[0].spans.extend(spans[share])
        parts.append(Made(Signal.TRACES, order.encode(part), 2, whole.span_ids[share]))
    return parts[0], parts[1]


@dataclass
class Storm:
    """
    Writes until it is told to stop; bridges come and go under it. Use as an async context.

    Args:
        seed: Everything random follows from it; failures print it.
    """

    kafka: Kafka
    folder: Path
    seed: int
    partitions: int = 4
    receiver: dict[str, Any] = field(default_factory=dict)
    faults: list[float] = field(default_factory=list)
    rounds: int = 0

    async def __aenter__(self) -> Self:
        self.dice = random.Random(self.seed)
        self.oracle = Oracle()
        self.backend = OracleBackend(self.oracle)
        self.topic = await self.kafka.create_topic(partitions=self.partitions)
        self.group = self.kafka.unique("group")
        self.watch = CommitWatch(self.kafka, self.group, self.topic)  # type: ignore[arg-type]  # It asks for the addresses.
        self.stored: list[Stored] = []
        self.members: dict[str, BridgeProcess] = {}
        self._late: list[tuple[float, int, Made]] = []
        self._enough = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        await self.backend.start()
        self.watch.start()
        self._writing = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await self.watch.stop()
        for member in self.members.values():
            await member.kill()
        await self.backend.stop()

    async def join(self, name: str, **receiver: Any) -> None:
        """Start a member, or start it again, and wait until it has partitions."""
        if name not in self.members:
            config = configs.process(
                self.kafka.bootstrap,
                self.topic,
                self.group,
                self.backend.grpc_endpoint,
                free_port(),
                free_port(),
                processors=SAMPLING,
                **{**self.receiver, **receiver},
            )
            self.members[name] = BridgeProcess(configs.text(config), self.folder, name)
        member = self.members[name]
        before = self.assignments(name)
        await member.start()
        async with asyncio.timeout(JOIN_TIMEOUT_S):
            while self.assignments(name) == before:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    def assignments(self, name: str) -> int:
        """How often a member was told its partitions, over all its lives."""
        log = self.folder / f"{name}.log"
        return (
            log.read_text(errors="replace").count("kafka_partitions_assigned")
            if log.exists()
            else 0
        )

    def fault(self) -> None:
        """Something is about to happen, or has: what is in flight now may come twice."""
        self.faults.append(time.time())

    async def settle(self, drain_s: float) -> None:
        """Write the last halves, wait for all that must come, and compare."""
        assert self._writing is not None
        self._enough.set()
        await self._writing
        until = time.monotonic() + drain_s
        while time.monotonic() < until and not await self._is_drained():  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await asyncio.sleep(DECISION_WAIT_S / 2)  # What must not come has the time to come.
        await self.watch.sample()
        self._compare()

    async def _is_drained(self) -> bool:
        sample = await self.watch.sample()
        ends = await self.kafka.end_offsets(self.topic)
        committed = sample is not None and all(
            sample.offsets.get(partition, 0) >= end for partition, end in ends.items()
        )
        return committed and not self.oracle.missing

    def _compare(self) -> None:
        oracle = self.oracle
        ended = {p: max((s.offset + 1 for s in self.stored if s.partition == p), default=0)
                 for p in range(self.partitions)}  # fmt: skip
        last = self.watch.samples[-1].offsets if self.watch.samples else {}
        came = Counter(key[:16] for key in oracle.deliveries if key not in oracle.by_rule)
        early = early_commits(self.watch.samples, self.stored, oracle)
        duplicates = sum(oracle.deliveries.values()) - len(oracle.deliveries)
        wrong = {
            "missing": len(oracle.missing),
            "traces that are half there": sum(spans != 4 for spans in came.values()),
            "came although it has no error": len(oracle.by_rule & oracle.deliveries.keys()),
            "altered": len(oracle.altered),
            "commits ahead": len(early),
            "duplicates above what was in flight": max(0, duplicates - self.bound),
            "partitions not committed": sum(last.get(p, 0) < end for p, end in ended.items()),
        }
        print(f"{self}; {duplicates} duplicates, bound {self.bound}")
        found = {what: count for what, count in wrong.items() if count}
        assert not found, f"{found}; {early[:5]}; {self}; {self._outputs()}"

    def fill(self, row: Row) -> None:
        """This storm's line of the table."""
        oracle, balance = self.oracle, self.oracle.ledger.balance()
        row.sent, row.acknowledged = balance.sent, balance.acknowledged
        row.delivered, row.dropped = balance.delivered, balance.dropped
        row.duplicates = sum(oracle.deliveries.values()) - len(oracle.deliveries)
        row.bound, row.commits_seen = self.bound, len(self.watch.samples)
        row.notes.append(str(self))

    @property
    def bound(self) -> int:
        """Deliveries beyond the first that the faults account for."""
        return sum(
            uncommitted_at(at, self.watch.samples, self.stored, self.oracle) for at in self.faults
        )

    def __str__(self) -> str:
        wanted = len(self.oracle.acknowledged) - len(self.oracle.by_rule)
        return (
            f"seed {self.seed}: {len(self.oracle.acknowledged)} spans in {len(self.stored)} "
            f"records, {wanted} of failed traces, {self.rounds} rounds"
        )

    def _outputs(self) -> str:
        return "\n".join(f"--- {n}:\n{m.output[-3000:]}" for n, m in self.members.items())

    def _producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap, acks="all", linger_ms=0)

    async def _write(self) -> None:
        async with self._producer() as producer:
            number = 0
            while not self._enough.is_set():
                now = time.monotonic()
                due = self._take_late(now)
                for partition in range(self.partitions):
                    for _ in range(NEW_TRACES):
                        number += 1
                        failed = number % 3 == 0
                        order = self.dice.choice(list(Order))
                        first, second = halves(self.dice.getrandbits(60), failed, order)
                        for part in (first, second):
                            self.oracle.mint(part)
                            if not failed:
                                self.oracle.drop(part.span_ids)
                        due.setdefault(partition, []).append(first)
                        later = now + self.dice.uniform(*SECOND_HALF_S)
                        self._late.append((later, partition, second))
                await self._send(producer, due)
                await asyncio.sleep(TICK_S)
            await self._send(producer, self._take_late(float("inf")))

    def _take_late(self, now: float) -> dict[int, list[Made]]:
        due: dict[int, list[Made]] = {}
        for at, partition, made in self._late:
            if at <= now:
                due.setdefault(partition, []).append(made)
        self._late = [entry for entry in self._late if entry[0] > now]
        return due

    async def _send(self, producer: AIOKafkaProducer, due: dict[int, list[Made]]) -> None:
        """One packed record a partition; known to the oracle once it is in the log."""
        for partition, parts in due.items():
            body = b"".join(part.body for part in parts)
            written = await producer.send_and_wait(self.topic, body, partition=partition)
            ids = tuple(key for part in parts for key in part.span_ids)
            self.stored.append(Stored(partition, written.offset, ids))
            for part in parts:
                self.oracle.acknowledge(part)


async def kill_at_random_moments(storm: Storm, kills: int) -> None:
    """kill -9 so many times, at any moment of `decision_wait` after partitions were given."""
    await storm.join("member", group_instance_id="member")
    for _ in range(kills):
        await asyncio.sleep(storm.dice.uniform(0.0, DECISION_WAIT_S + 1.0))
        storm.fault()
        await storm.members["member"].kill()
        storm.fault()
        storm.rounds += 1
        await storm.join("member")


async def rebalance(storm: Storm, seconds: float, member_s: float = 3.0) -> None:
    """A second member comes and goes every *member_s* for so long, politely or not."""
    await storm.join("member")
    guest_joined = False
    until = time.monotonic() + seconds
    watching = asyncio.create_task(_note_faults(storm))
    try:
        while time.monotonic() < until:
            if not guest_joined:
                guest_joined = True
                await storm.join("guest")
            else:
                await storm.members["guest"].start()
            await asyncio.sleep(member_s)
            guest = storm.members["guest"]
            await (guest.kill() if storm.dice.random() < 0.5 else guest.stop())
            await asyncio.sleep(member_s)
            storm.rounds += 1
    finally:
        watching.cancel()


async def _note_faults(storm: Storm) -> None:
    """A rebalance begins when the group hears of it: note each assignment that is new."""
    seen = 0
    while True:
        now = sum(storm.assignments(name) for name in storm.members)
        if now != seen:
            seen = now
            storm.fault()
        await asyncio.sleep(0.05)
