"""
One scenario: real processes, an oracle, faults, and the sums at the end.

    async with stage.scene(tmp_path) as scene:
        await scene.start()                        # one ingest and one process side
        scene.clients.start()
        await scene.clients.wait_acknowledged(50)
        ...                                        # the fault
        await scene.settle()                       # heal, drain, compare every span
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import psutil

from bridge.testing import span_ids
from tests.bridge_process import BridgeProcess, scrape, total
from tests.faults import configs
from tests.faults.clients import Clients, Shape
from tests.faults.cluster import Cluster
from tests.faults.oracle import Oracle, OracleBackend
from tests.faults.table import Row
from tests.faults.watch import CommitWatch, Stored, early_commits, read_at, uncommitted_at
from tests.kafka_server import free_port

DRAIN_TIMEOUT_S = 60.0
FRESH_TIMEOUT_S = 30.0
POLL_S = 0.2
COMMIT_TIMEOUT_S = 20.0
LETTERS_INTERVAL_S = 2.0


@dataclass
class Bridge:
    """One bridge process and where it can be asked about itself."""

    process: BridgeProcess
    health: int
    metrics: int

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """Status and body of ``/readyz``."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.health}/readyz") as response,
        ):
            return response.status, await response.json()

    async def wait_ready(self, status: int = 200, timeout_s: float = 30.0) -> dict[str, Any]:
        """Wait until ``/readyz`` answers *status*, and give the body."""
        until = time.monotonic() + timeout_s
        while True:
            found, body = await self.ready()
            if found == status or time.monotonic() > until:
                assert found == status, f"/readyz says {found}: {body}"
                return body
            await asyncio.sleep(POLL_S)

    async def figures(self) -> dict[str, float]:
        """All series of ``/metrics``, by name with labels."""
        return await scrape(f"127.0.0.1:{self.metrics}")

    async def total(self, name: str) -> float:
        """The sum of all series of one name."""
        return total(await self.figures(), name)

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self.process.process is not None
        return self.process.process.pid

    @property
    def rss_mib(self) -> float:
        """Resident memory."""
        return psutil.Process(self.pid).memory_info().rss / 2**20

    @property
    def cpu_s(self) -> float:
        """CPU seconds that this life of the process took so far."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    @property
    def fd_count(self) -> int:
        """Open files and sockets."""
        return psutil.Process(self.pid).num_fds()

    @property
    def log(self) -> str:
        """Everything it printed, over all its lives."""
        path = self.process.folder / f"{self.process.name}.log"
        return path.read_text(errors="replace")


@dataclass
class Scene:
    """Everything of one scenario. Use as an async context."""

    cluster: Cluster
    folder: Path
    seed: int
    row: Row
    partitions: int = 6
    replicas: int = 3
    topic_configs: dict[str, str] = field(default_factory=dict)
    topic: str = ""
    dead_letters: str = ""
    brokers: str = ""
    shape: Shape = field(default_factory=Shape)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.oracle = Oracle()
        self.backend = OracleBackend(self.oracle)
        self.bridges: dict[str, Bridge] = {}
        self.records: list[Stored] = []
        self.fault_times: list[float] = []
        self.reads: list[tuple[float, dict[int, int]]] = []
        self.may_be_refused = False
        self.duplicates_bounded = True
        self._ports = (free_port(), free_port())
        self._began = time.monotonic()

    async def __aenter__(self) -> Self:
        if not self.topic:
            self.topic = await self.cluster.create_topic(
                self.cluster.unique("spans"), self.partitions, self.topic_configs, self.replicas
            )
        self.group = self.cluster.unique("group")
        self.brokers = self.brokers or self.cluster.bootstrap
        self.clients = Clients(self.oracle, self.endpoints, self.seed, shape=self.shape)
        self.watch = CommitWatch(self.cluster, self.group, self.topic)
        await self.backend.start()
        self.watch.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            await self.clients.stop(0.0)
            if kind is None:
                for bridge in self.bridges.values():
                    if bridge.process.runs:
                        await bridge.process.check_ledger()
        finally:
            await self.watch.stop()
            for bridge in self.bridges.values():
                await bridge.process.kill()
            await self.backend.stop()
            self.row.seconds = time.monotonic() - self._began

    def endpoints(self) -> tuple[str, str]:
        """Where clients send to: gRPC and HTTP."""
        return f"127.0.0.1:{self._ports[0]}", f"127.0.0.1:{self._ports[1]}"

    async def start(self, **process: Any) -> None:
        """One ingest and one process side; *process* goes into the receiver's section."""
        await asyncio.gather(self.ingest(), self.process(**process))

    async def ingest(self, name: str = "ingest", *, run: bool = True, **kafka: Any) -> Bridge:
        """An ingest side; *kafka* goes into the exporter's section."""
        health, metrics = free_port(), free_port()
        config = configs.ingest(self.brokers, self.topic, *self._ports, health, metrics, **kafka)
        return await self.bridge(name, config, health, metrics, run=run)

    async def process(
        self,
        name: str = "process",
        *,
        backend: str = "",
        http: bool = False,
        run: bool = True,
        **options: Any,
    ) -> Bridge:
        """A process side; *options* go into the receiver's section, `exporter` into that one."""
        health, metrics = free_port(), free_port()
        where = backend or (self.backend.http_endpoint if http else self.backend.grpc_endpoint)
        if self.dead_letters:
            options.setdefault("dead_letter", {"topic": self.dead_letters})
        brokers = options.pop("brokers", self.brokers)
        config = configs.process(
            brokers, self.topic, self.group, where, health, metrics, http=http, **options
        )
        return await self.bridge(name, config, health, metrics, run=run)

    async def bridge(
        self, name: str, config: configs.Config, health: int, metrics: int, *, run: bool = True
    ) -> Bridge:
        """A bridge with a configuration of its own."""
        bridge = Bridge(BridgeProcess(configs.text(config), self.folder, name), health, metrics)
        self.bridges[name] = bridge
        if run:
            await bridge.process.start()
        return bridge

    def fault(self) -> None:
        """A process is about to be stopped, or its partitions to move: note what is in flight."""
        self.fault_times.append(time.time())

    async def fault_of_reader(self) -> None:
        """The same for one that goes on later: it then delivers what it has read by now."""
        self.fault()
        self.reads.append((time.time(), await self.cluster.end_offsets(self.topic)))

    @contextlib.asynccontextmanager
    async def noting_assignments(self) -> AsyncIterator[None]:
        """Within this, each assignment of partitions is a fault: they moved a moment before."""
        watching = asyncio.create_task(self._note_assignments())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _note_assignments(self) -> None:
        seen = 0
        while True:
            logs = "".join(bridge.log for bridge in self.bridges.values())
            if (now := logs.count("kafka_partitions_assigned")) != seen:
                seen = now
                self.fault()
            await asyncio.sleep(POLL_S / 4)

    async def kill(self, name: str) -> None:
        """kill -9."""
        self.fault()
        await self.bridges[name].process.kill()
        self.fault()

    async def make_dead_letters(self) -> str:
        """Create the topic of dead letters; process sides that start later use it."""
        configs_ = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "8388608"}
        self.dead_letters = await self.cluster.create_topic(
            self.cluster.unique("dead"), 1, configs_, self.replicas
        )
        return self.dead_letters

    async def settle(self, *, drain_s: float = DRAIN_TIMEOUT_S, fresh: bool = True) -> None:
        """
        Heal, drain, and compare: raises with everything that does not add up.

        Args:
            drain_s: Seconds until every acknowledged span must be accounted for.
            fresh: Whether one more span must pass at the end.
        """
        await asyncio.to_thread(self._heal)
        self.backend.tell()
        await self.clients.stop()
        await self._drain(drain_s)
        if fresh:
            made = await self.clients.send_one()
            await self.wait_delivered(made.span_ids, FRESH_TIMEOUT_S)
        await self._wait_committed()
        await self.watch.stop()
        self.compare(await self._read_records())

    async def wait_delivered(self, ids: Sequence[bytes], timeout_s: float = 30.0) -> None:
        """Wait until the backend has *ids*."""
        until = time.monotonic() + timeout_s
        while any(key not in self.oracle.delivered_at for key in ids):
            if time.monotonic() > until:
                raise AssertionError(
                    f"{sum(key not in self.oracle.delivered_at for key in ids)} of {len(ids)} "
                    f"spans not delivered in {timeout_s} s; {await self._state()}"
                )
            await asyncio.sleep(POLL_S / 4)

    def _heal(self) -> None:
        """End every fault of the cluster and its network."""
        self.cluster.server.heal()

    def compare(self, records: list[Stored]) -> None:
        """The set arithmetic; also fills the scenario's row of the table."""
        self.records = records
        oracle, balance = self.oracle, self.oracle.ledger.balance()
        stored = {key for record in records for key in record.ids}
        known = oracle.ledger._sent
        faults: dict[str, int] = {
            "acknowledged and accounted for nowhere": len(balance.missing),
            "acknowledged and not in the topic": len(oracle.acknowledged - stored),
            "in the topic and never sent": len(stored - known),
            "delivered and never sent": len(balance.unknown),
            "altered on the way": len(oracle.altered),
            "delivered although a rule drops it": len(oracle.by_rule & set(oracle.deliveries)),
            "refused for good": 0 if self.may_be_refused else len(oracle.refused),
            "duplicates above the bound": self.duplicates_bounded
            * max(0, balance.duplicates - self.bound()),
        }
        early = early_commits(self.watch.samples, records, oracle)
        faults["commits ahead of the unresolved"] = len(early)
        self._fill(balance)
        wrong = {what: count for what, count in faults.items() if count}
        assert not wrong, (
            f"{wrong}; {balance}; bound {self.bound()}; seed {self.seed}; {early[:5]}; "
            f"{self.clients.lasting[:3]}; {self._outputs()}"
        )

    def bound(self) -> int:
        """How many deliveries beyond the first may have happened."""
        oracle = self.oracle
        open_spans = sum(
            uncommitted_at(at, self.watch.samples, self.records, oracle) for at in self.fault_times
        )
        read = sum(read_at(at, ends, self.watch.samples, self.records) for at, ends in self.reads)
        return oracle.resent.total() + open_spans + read + oracle.unanswered_by_backend.total()

    def _fill(self, balance: Any) -> None:
        row = self.row
        row.sent, row.acknowledged = balance.sent, balance.acknowledged
        row.delivered, row.dead_lettered = balance.delivered, balance.dead_lettered
        row.dropped = balance.dropped + balance.rejected
        row.duplicates, row.bound = balance.duplicates, self.bound()
        row.commits_seen = len(self.watch.samples)

    async def _drain(self, timeout_s: float) -> None:
        until, looked = time.monotonic() + timeout_s, 0.0
        while self.oracle.missing:
            if time.monotonic() > until:
                return  # The comparison says what is missing.
            await asyncio.sleep(POLL_S)
            if self.dead_letters and time.monotonic() > looked + LETTERS_INTERVAL_S:
                await self.read_dead_letters()
                looked = time.monotonic()

    async def _wait_committed(self) -> None:
        """Let the last commit interval pass, so that the watch sees where it ends."""
        if not any(b.process.name.startswith("process") for b in self.bridges.values()):
            return
        ends = await self.cluster.end_offsets(self.topic)
        until = time.monotonic() + COMMIT_TIMEOUT_S
        while time.monotonic() < until:
            sample = await self.watch.sample()
            if sample and all(sample.offsets.get(p, 0) >= end for p, end in ends.items() if end):
                return
            await asyncio.sleep(POLL_S)
        raise AssertionError(f"delivered and not committed: {sample} of {ends}; {self._outputs()}")

    async def read_dead_letters(self) -> None:
        """Tell the oracle what lies in the topic of dead letters."""
        for record in await self.cluster.read_all(self.dead_letters):
            headers = dict(record.headers)
            ids = _ids_or_none(record.value) if record.value else self._ids_at(headers)
            self.oracle.dead_letter(ids, record.timestamp / 1000)

    def _ids_at(self, headers: dict[str, bytes]) -> list[bytes]:
        """The spans that stood where a letter without content points to."""
        partition = int(headers.get("bridge-dlq-partition", b"-1"))
        first = int(headers.get("bridge-dlq-offset", b"0"))
        stop = int(headers.get("bridge-dlq-offset-stop", b"0"))
        return [
            key
            for record in self.records
            if record.partition == partition and first <= record.offset < stop
            for key in record.ids
        ]

    async def _read_records(self) -> list[Stored]:
        return await self.stored(self.topic)

    async def stored(self, topic: str) -> list[Stored]:
        """What *topic* holds."""
        return [
            Stored(record.partition, record.offset, tuple(_ids_or_none(record.value or b"")))
            for record in await self.cluster.read_all(topic)
        ]

    async def _state(self) -> str:
        """Offsets, lags and outputs, for whoever reads a failure."""
        ends = await self.cluster.end_offsets(self.topic)
        last = self.watch.samples[-1].offsets if self.watch.samples else {}
        told = []
        for name, bridge in self.bridges.items():
            try:
                told.append(f"{name}: {await bridge.ready()}")
                figures = await bridge.figures()
            except (aiohttp.ClientError, OSError) as error:
                told.append(f"{name}: {error!r}")
                continue
            told += [f"{k} {v:g}" for k, v in figures.items() if k.startswith("bridge_kafka")]
        return f"log ends {ends}, committed {last}\n" + "\n".join(told) + self._outputs()

    def _outputs(self) -> str:
        return "\n".join(f"--- {n}:\n{b.process.output}" for n, b in self.bridges.items())


def _ids_or_none(value: bytes) -> list[bytes]:
    from google.protobuf.message import DecodeError

    try:
        return span_ids(value)
    except DecodeError:
        return []
