"""
A sidecar: how soon it listens and how much memory it takes at a steady 1,000 spans/s.

    python perf/sidecar.py --seconds 60 --starts 7

The configuration is that of `deploy/kubernetes/sidecar.yaml`, with ports of this machine. A start
counts from the creation of the process until ``/livez`` answers 200; its CPU time is given beside
it, since wall time is that of a machine with other work. Memory is read once a second from
``smaps_rollup``: the resident size, and what of it no other process shares. Every acknowledged span
must be in the topic.
"""

import argparse
import asyncio
import http.client
import subprocess
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import lab
from load import Requests

from tests.kafka_server import KafkaServer

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SPANS_A_REQUEST = 10
GOAL_RSS_MIB, GOAL_START_S = 80, 1.0


@dataclass(frozen=True)
class Sidecar:
    """A started sidecar."""

    process: lab.Process
    grpc: int
    start_s: float
    start_cpu_s: float


@dataclass
class Memory:
    """Sizes in MiB, read once a second."""

    rss: list[float] = field(default_factory=list)
    private: list[float] = field(default_factory=list)

    def read(self, pid: int) -> None:
        """Add one reading."""
        found = _rollup(pid)
        self.rss.append(found["Rss"])
        self.private.append(found["Private_Clean"] + found["Private_Dirty"])


def config_of(manifest: Path) -> str:
    """The configuration in the manifest: what is indented below ``config.yaml``."""
    _, _, rest = manifest.read_text().partition("  config.yaml: |\n")
    return textwrap.dedent(rest.partition("\n---\n")[0])


def moved(ports: Sequence[int]) -> list[str]:
    """Options that lay ports of this machine over the manifest's."""
    grpc_port, health_port, metrics_port = ports
    places = {
        "receivers.otlp.protocols.grpc.endpoint": f"127.0.0.1:{grpc_port}",
        "receivers.otlp.protocols.http.endpoint": "127.0.0.1:0",
        "extensions.health_check.endpoint": f"127.0.0.1:{health_port}",
        "service.telemetry.metrics.address": f"127.0.0.1:{metrics_port}",
    }
    return [f"--set={key}={value}" for key, value in places.items()]


@contextmanager
def sidecar(bootstrap: str) -> Iterator[Sidecar]:
    """Start one, and end it afterwards."""
    ports = [lab.free_port() for _ in range(3)]
    path = lab.write_config(config_of(lab.ROOT / "deploy/kubernetes/sidecar.yaml"))
    command = [*lab.bridge_command(path), *moved(ports)]
    log = path.with_suffix(".log")
    with log.open("wb") as output:
        began_s = time.monotonic()
        environment = {**lab._environment(), "KAFKA_BROKERS": bootstrap}
        popen = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    process = lab.Process("sidecar", popen, log)
    try:
        while not _lives(ports[1]):
            if popen.poll() is not None or time.monotonic() - began_s > 30:
                raise SystemExit(f"it does not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.005)
        yield Sidecar(process, ports[0], time.monotonic() - began_s, process.cpu_s())
    finally:
        process.stop()


def starts(bootstrap: str, count: int) -> tuple[lab.Figures, lab.Figures]:
    """Wall and CPU seconds of *count* starts."""
    wall, cpu = lab.Figures(), lab.Figures()
    for _ in range(count):
        with sidecar(bootstrap) as started:
            wall.values.append(started.start_s)
            cpu.values.append(started.start_cpu_s)
    return wall, cpu


async def steady(bootstrap: str, rate: int, seconds: int) -> tuple[Memory, float, dict[str, float]]:
    """
    Send *rate* spans a second for *seconds*.

    Returns:
        Memory, CPU in percent of a core, and what the resident size consists of at the end.

    Raises:
        lab.LostSpan: If an acknowledged span is not in the topic.
    """
    requests = Requests(SPANS_A_REQUEST)
    pause_s = SPANS_A_REQUEST / rate
    memory = Memory()
    async with lab.topic(bootstrap, "otlp_spans") as topic:
        with sidecar(bootstrap) as started:
            pid = started.process.popen.pid
            before_s, began_s = started.process.cpu_s(), time.monotonic()
            async with (
                grpc.aio.insecure_channel(f"127.0.0.1:{started.grpc}") as channel,
                asyncio.TaskGroup() as group,
            ):
                export = channel.unary_unary(EXPORT)

                async def send() -> None:
                    await export(requests(), timeout=30)

                next_s = began_s
                while next_s < began_s + seconds:
                    group.create_task(send())
                    next_s += pause_s
                    if len(memory.rss) < next_s - began_s:
                        memory.read(pid)
                    await asyncio.sleep(next_s - time.monotonic())
            taken_s = time.monotonic() - began_s
            busy = (started.process.cpu_s() - before_s) / taken_s * 100
            memory.read(pid)
            parts = _parts(pid)
        ids = range(requests.first_id, requests.first_id + requests.made)
        await lab.verify_topic(bootstrap, topic, ids)
    return memory, busy, parts


def _along(readings: Sequence[float], parts: int = 10) -> list[float]:
    """The largest reading of each tenth: whether a size still grows, or has come to rest."""
    step = max(1, len(readings) // parts)
    return [max(readings[at : at + step]) for at in range(0, len(readings), step)]


def _lives(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _rollup(pid: int) -> dict[str, float]:
    """The fields of ``smaps_rollup`` in MiB."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, kib = line.split()[:2]
        found[name.rstrip(":")] = int(kib) / 1024
    return found


def _parts(pid: int) -> dict[str, float]:
    """Resident MiB by what is mapped: the heap, anonymous memory, libraries by name."""
    sizes: Counter[str] = Counter()
    name = ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            name = Path(words[5]).name.split(".")[0] if len(words) > 5 else "anonymous"
        elif words[0] == "Rss:":
            sizes[name] += int(words[1])
    return {name: kib / 1024 for name, kib in sizes.most_common(12)}


def main() -> None:
    """Run from the command line; writes ``perf/results/`` with --save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--save", default="", help="name of the result file; empty only prints")
    options = parser.parse_args()
    with KafkaServer() as kafka:
        # The first start writes byte code and warms the disk's cache.
        starts(kafka.bootstrap, 1)
        wall, cpu = starts(kafka.bootstrap, options.starts)
        memory, busy, parts = asyncio.run(steady(kafka.bootstrap, options.rate, options.seconds))
    load = Path("/proc/loadavg").read_text().split()[0]
    lines = ["# A sidecar: start and memory", ""]
    lines += [f"- {key}: {value}" for key, value in lab.machine().items()]
    lines += [
        f"- load average at the end: {load}",
        (
            f"- {options.starts} starts; then {options.rate:,} spans/s in requests of "
            f"{SPANS_A_REQUEST} for {options.seconds} s, all found in the topic"
        ),
        "",
        "| figure | min / median / max | goal |",
        "|---|---|---|",
        f"| start until /livez, wall s | {wall} | below {GOAL_START_S:g} |",
        f"| start until /livez, CPU s | {cpu} | |",
        f"| resident MiB | {lab.Figures(memory.rss)} | below {GOAL_RSS_MIB} |",
        f"| of it private MiB | {lab.Figures(memory.private)} | |",
        f"| CPU, % of a core | {busy:.1f} | |",
        "",
        "Resident MiB along the run, a tenth of it each: "
        + ", ".join(f"{size:.1f}" for size in _along(memory.rss)),
        "",
        "Resident MiB at the end by what is mapped: "
        + ", ".join(f"{name} {size:.1f}" for name, size in parts.items()),
    ]
    lab.report(options.save, lines)


if __name__ == "__main__":
    main()
