"""
What every measurement here needs: a Kafka, the systems under test as processes of their own, their
CPU seconds and peak memory, and proof that each acknowledged span arrived.
"""

import asyncio
import contextlib
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from statistics import median

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"
RESULTS = Path(__file__).resolve().parent / "results"
_STOPPED_S, _SETTLED_S = 1.0, 12.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class LostSpan(AssertionError):
    """A run that lost a span, or split a trace, has no figure."""


@dataclass
class Process:
    """A system under test."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def cpu_s(self) -> float:
        """CPU seconds of the process and all its descendants, user and system."""
        return sum(_cpu_s(pid) for pid in _family(self.popen.pid))

    def cpu_of_children_s(self) -> dict[int, float]:
        """CPU seconds of each of its descendants, by process id."""
        return {pid: _cpu_s(pid) for pid in _family(self.popen.pid)[1:]}

    def peak_rss_mib(self) -> float:
        """The sum of the high-water marks of the process and its descendants."""
        return sum(_hwm_kib(pid) for pid in _family(self.popen.pid)) / 1024

    def stop(self, grace_s: float = 20.0) -> None:
        """End it in order, by its process id."""
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


@dataclass
class Figures:
    """Repeats of one measurement."""

    values: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.values:
            return "-"
        low, high = min(self.values), max(self.values)
        return f"{low:.2f} / {median(self.values):.2f} / {high:.2f}"

    @property
    def median(self) -> float:
        """The middle of the repeats; NaN without any."""
        return median(self.values) if self.values else float("nan")


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], port: int, env: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Run *command* until the block ends; the block starts when *port* accepts connections."""
    with tempfile.NamedTemporaryFile(prefix=f"perf-{name}-", suffix=".log", delete=False) as log:
        popen = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=ROOT, env={**_environment(), **(env or {})}
        )
    process = Process(name, popen, Path(log.name))
    try:
        _wait_listening(process, port)
        yield process
    finally:
        process.stop()


def bridge_command(config: str | Path) -> list[str]:
    """How the bridge is started: as its user would, compiled as pip and the image install it."""
    _compile()
    return [str(Path(sys.executable).with_name("otlp-bridge")), "run", "--config", str(config)]


def write_config(text: str) -> Path:
    """A config file that lives as long as the machine's temporary folder."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="perf-", delete=False) as file:
        file.write(text)
    return Path(file.name)


@contextlib.asynccontextmanager
async def topic(
    bootstrap: str, name: str, partitions: int = 12, replicas: int = 1
) -> AsyncIterator[str]:
    """A topic for one run, deleted afterwards; with copies, two of them must be in sync."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        # rotel writes its whole batch as one record: the broker's limit must not cripple a peer.
        configs = {"max.message.bytes": str(16 << 20)}
        if replicas > 1:
            configs["min.insync.replicas"] = "2"
        await admin.create_topics([NewTopic(name, partitions, replicas, topic_configs=configs)])
        await _wait_for_leaders(admin, name, partitions)
        yield name
        with contextlib.suppress(Exception):
            await admin.delete_topics([name])
    finally:
        await admin.close()


async def warm_topic(bootstrap: str, name: str, partitions: int) -> None:
    """
    Write records without spans to each partition until the broker takes them without a stop.

    A broker stops all writes to a fresh topic of hundreds of partitions for some seconds, a few
    seconds after their first records: seen with two clients, for 8 and 9 s with 300 partitions.

    Raises:
        TimeoutError: If it has not settled after a minute.
    """
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        began, quiet_since = time.monotonic(), time.monotonic()
        async with asyncio.timeout(60):
            while min(time.monotonic() - began, time.monotonic() - quiet_since) < _SETTLED_S:
                round_began = time.monotonic()
                waits = [await producer.send(name, b"", partition=p) for p in range(partitions)]
                await asyncio.gather(*waits)
                if time.monotonic() - round_began > _STOPPED_S:
                    quiet_since = time.monotonic()
                await asyncio.sleep(0.25)


async def verify_topic(
    bootstrap: str, name: str, ids: Iterable[int], *, whole_traces: bool = True
) -> tuple[int, int]:
    """
    Read *name* to its end and check it against the span ids that were acknowledged.

    Returns:
        Records read and spans that came more than once.

    Raises:
        LostSpan: If an id is missing, one appears that nobody sent, or a trace is in two
            partitions.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=8 << 20
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(name, p) for p in await _partitions(consumer, name)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        seen: set[int] = set()
        homes: dict[bytes, int] = {}
        records = spans = 0
        left = {p for p, end in ends.items() if end > 0}
        while left:
            for partition, batch in (await consumer.getmany(*left, timeout_ms=1000)).items():
                for record in batch:
                    records += 1
                    spans += _take(record.value, partition.partition, seen, homes, whole_traces)
                if await consumer.position(partition) >= ends[partition]:
                    left.discard(partition)
    finally:
        await consumer.stop()
    wanted = set(ids)
    if missing := wanted - seen:
        raise LostSpan(f"{len(missing)} of {len(wanted)} acknowledged spans are not in {name}")
    if spurious := seen - wanted:
        raise LostSpan(f"{len(spurious)} spans in {name} that nobody was told of")
    return records, spans - len(seen)


def _take(
    value: bytes, partition: int, seen: set[int], homes: dict[bytes, int], whole: bool
) -> int:
    count = 0
    for resource in ExportTraceServiceRequest.FromString(value).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                count += 1
                seen.add(int.from_bytes(span.span_id, "big"))
                if whole and homes.setdefault(span.trace_id, partition) != partition:
                    raise LostSpan(f"trace {span.trace_id.hex()} is in two partitions")
    return count


async def _wait_for_leaders(admin: AIOKafkaAdminClient, name: str, partitions: int) -> None:
    """A topic that has just been made refuses writes for a moment, a large one for longer."""
    for _ in range(100):
        (found,) = await admin.describe_topics([name])
        led = [one for one in found["partitions"] if one["leader"] >= 0]
        if not found["error_code"] and len(led) == partitions:
            return
        await asyncio.sleep(0.1)
    raise LostSpan(f"topic {name} has no leaders")


async def _partitions(consumer: AIOKafkaConsumer, name: str) -> set[int]:
    for _ in range(100):
        await consumer._client.force_metadata_update()
        found = consumer._client.cluster.partitions_for_topic(name)
        if found:
            return set(found)
        consumer._client.add_topic(name)
        await asyncio.sleep(0.1)
    raise LostSpan(f"topic {name} does not appear")


def machine() -> dict[str, str]:
    """What a result must say of where it was made."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    ).stdout.strip()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": f"{os.cpu_count()} x {model}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": commit,
    }


def report(name: str, lines: Sequence[str], data: object | None = None) -> None:
    """Print a result, and write it as a dated one if it has a *name*."""
    print("\n".join(lines))
    if not name:
        return
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{name}.md"
    path.write_text("\n".join(lines) + "\n")
    if data is not None:
        path.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")


@cache
def _compile() -> None:
    """Byte code for all that the bridge imports: without it each start costs a second more."""
    places = [str(ROOT / "bridge"), sysconfig.get_path("purelib")]
    command = [sys.executable, "-m", "compileall", "-q", *places]
    subprocess.run(
        command, check=False, capture_output=True, env=_environment(), cwd=ROOT, timeout=300
    )


def _environment() -> dict[str, str]:
    """Ours, without what keeps Python from writing byte code."""
    kept = dict(os.environ)
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


def _wait_listening(process: Process, port: int, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.popen.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.05)
    raise RuntimeError(
        f"{process.name} does not listen on {port}:\n{process.log.read_text()[-3000:]}"
    )


def _family(pid: int) -> list[int]:
    found = [pid]
    for current in found:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{current}/task/{current}/children").read_text().split()
            found.extend(map(int, children))
    return found


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def _hwm_kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0
