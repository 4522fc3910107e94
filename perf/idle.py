"""
What a process takes that does nothing yet, and after 20,000 requests of one span: both legs.

    python perf/idle.py --commands .venv/bin/otlp-bridge ../former/.venv/bin/otlp-bridge

Each command is one way of starting the bridge, for instance of a former version; they take turns.
Memory is read from ``smaps_rollup`` ten seconds after the start: the resident size, what remains if
shared pages are divided among those who share them, and what is the process's own; and the peak
from ``status``. Then the ingest leg gets its requests, and the other leg drains what the first
wrote into a black hole. A run counts only if each span arrived.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lab
from bodies import Requests
from ingest import bridge_config
from load import run as send
from process import Sink, sink
from process import config as process_config

from tests.kafka_server import KafkaServer

REQUESTS = 20_000
IDLE_S = 10.0
_DRAINED_S, _LOOK_S = 60.0, 0.2
_OWN_CODE = {"PYTHONPATH": ""}
"""A former version shall not import the present one."""

FIELDS = ("Rss", "Pss", "Private_Dirty")
LEGS = ("OTLP to Kafka", "Kafka to OTLP")


@dataclass(frozen=True)
class Reading:
    """Sizes in MiB, and CPU seconds since the start."""

    sizes: tuple[float, ...]
    cpu_s: float

    @classmethod
    def of(cls, process: lab.Process) -> "Reading":
        """As they are now."""
        rollup = Path(f"/proc/{process.popen.pid}/smaps_rollup").read_text().splitlines()[1:]
        kib = {line.split(":")[0]: int(line.split()[1]) for line in rollup}
        sizes = (*(kib[name] / 1024 for name in FIELDS), process.peak_rss_mib())
        return cls(sizes, process.cpu_s())


async def ingest(command: str, bootstrap: str, topic: str) -> tuple[float, Reading, Reading]:
    """
    The first leg: CPU seconds of the start, and memory before and after the requests.

    Raises:
        lab.LostSpan: If a span that was acknowledged is not in the topic.
    """
    grpc, http = lab.free_port(), lab.free_port()
    started = _run(command, bridge_config(bootstrap, topic, grpc, http))
    with lab.running("idle", started, grpc, _OWN_CODE) as process:
        start_s = process.cpu_s()
        await asyncio.sleep(IDLE_S)
        before = Reading.of(process)
        requests = Requests(1)
        result = await send("127.0.0.1", grpc, requests, REQUESTS, connections=4, in_flight=16)
        after = Reading.of(process)
    if result.acked != REQUESTS:
        raise lab.LostSpan(f"{REQUESTS - result.acked} requests were not acknowledged")
    ids = range(requests.first_id, requests.first_id + requests.made)
    await lab.verify_topic(bootstrap, topic, ids)
    return start_s, before, after


async def drain(command: str, bootstrap: str, topic: str) -> tuple[float, Reading, Reading]:
    """
    The other leg; idle on a topic without records, then on what the first leg wrote.

    Raises:
        lab.LostSpan: If not every span comes.
    """
    async with lab.topic(bootstrap, f"{topic}-empty") as empty:
        with _draining(command, bootstrap, empty) as (process, _):
            start_s = process.cpu_s()
            await asyncio.sleep(IDLE_S)
            before = Reading.of(process)
    with _draining(command, bootstrap, topic) as (process, hole):
        until_s = time.monotonic() + _DRAINED_S
        while (await hole.ask())["spans"] < REQUESTS:
            if time.monotonic() > until_s:
                raise lab.LostSpan(f"of {REQUESTS} spans came {await hole.ask()}")
            await asyncio.sleep(_LOOK_S)
        after = Reading.of(process)
    return start_s, before, after


@contextlib.contextmanager
def _draining(command: str, bootstrap: str, topic: str) -> Iterator[tuple[lab.Process, Sink]]:
    """A bridge that passes *topic* on to a black hole."""
    health = lab.free_port()
    with sink() as hole:
        text = process_config("bridge", "pass", bootstrap, topic, hole.port, health)
        started = _run(command, text)
        with lab.running("idle", started, health, _OWN_CODE) as process:
            yield process, hole


def _run(command: str, config: str) -> list[str]:
    return [command, "run", "--config", str(lab.write_config(config))]


async def table(options: argparse.Namespace, bootstrap: str) -> list[str]:
    """All commands in turns; the lines of the result."""
    found: dict[tuple[str, str], list[tuple[float, Reading, Reading]]] = {}
    for repeat, command in itertools.product(range(options.repeats), options.commands):
        name = f"idle-{os.getpid()}-{repeat}-{options.commands.index(command)}"
        async with lab.topic(bootstrap, name) as topic:
            for leg, measure in zip(LEGS, (ingest, drain), strict=True):
                outcome = await measure(command, bootstrap, topic)
                found.setdefault((leg, command), []).append(outcome)
                print(repeat, leg, command, outcome, flush=True)
    lines = ["# Memory of an idle process, MiB (min / median / max)", ""]
    lines += [f"- {key}: {value}" for key, value in lab.machine().items()]
    lines += [f"- {number}: {command}" for number, command in enumerate(options.commands, 1)]
    lines += ["", "| leg | command | when | RSS | PSS | private dirty | peak | CPU s of a start |"]
    lines += ["|---" * 8 + "|"]
    for (leg, command), outcomes in sorted(found.items(), reverse=True):
        start = lab.Figures([start_s for start_s, _, _ in outcomes])
        for when, readings in (
            (f"idle, {IDLE_S:.0f} s", [before for _, before, _ in outcomes]),
            (f"after {REQUESTS:,} spans", [after for _, _, after in outcomes]),
        ):
            sizes = zip(*(reading.sizes for reading in readings), strict=True)
            row = [leg, str(options.commands.index(command) + 1), when]
            row += [str(lab.Figures(list(column))) for column in sizes]
            row.append(str(start) if when.startswith("idle") else "")
            lines.append("| " + " | ".join(row) + " |")
    return lines


def main() -> None:
    """Run from the command line; writes ``perf/results/`` with --save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", nargs="+", default=[lab.bridge_command("")[0]])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--save", default="", help="name of the result file; empty only prints")
    options = parser.parse_args()
    with KafkaServer(heap_mib=1024, java_options=()) as kafka:
        lines = asyncio.run(table(options, kafka.bootstrap))
    lab.report(options.save, lines)


if __name__ == "__main__":
    main()
