"""
The processing leg: CPU microseconds a span from Kafka to OTLP, ours beside a Collector.

    python perf/process.py --layouts packed keyed --pipelines pass tail --spans 2000000

Each subject drains its own consumer group from the same preloaded topic into a black hole of its
own. A pass-through run counts only if every span came; the tail sampling runs keep errors, slow
traces and 10 %, and both subjects' numbers of kept spans are shown.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import lab
from ingest import SUBJECTS
from preload import Loaded, preload

from tests.kafka_server import KafkaServer

POLICIES = """
      - {name: slow, type: latency, latency: {threshold_ms: 600}}
      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: some, type: probabilistic, probabilistic: {sampling_percentage: 10}}"""

DECISION_WAIT_S = 5
"""Of both subjects."""


@dataclass(frozen=True)
class Outcome:
    """What one drain cost."""

    cpu_us_a_span: float
    peak_rss_mib: float
    wall_s: float
    kept: int
    twice: int


@dataclass(frozen=True)
class Sink:
    """A running black hole."""

    port: int
    control: int

    async def ask(self, line: str = "") -> dict[str, int]:
        """What came so far; with ``FIRST COUNT`` the whole account."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.control)
        writer.write(line.encode() + b"\n")
        answer: dict[str, int] = json.loads(await reader.readline())
        writer.close()
        return answer


@contextlib.contextmanager
def sink() -> Iterator[Sink]:
    """A black hole for one run."""
    hole = Sink(lab.free_port(), lab.free_port())
    script = str(lab.ROOT / "perf/sink.py")
    command = [sys.executable, script, "--port", str(hole.port), "--control", str(hole.control)]
    with lab.running("sink", command, hole.control, {"PYTHONPATH": str(lab.ROOT)}):
        yield hole


def config(subject: str, pipeline: str, bootstrap: str, topic: str, port: int, health: int) -> str:
    """
    Both read from the earliest offset and send uncompressed, since a sink is no network.

    Fetch sizes are the defaults of each.
    """
    ours = subject == "bridge"
    tail = f"  tail_sampling:\n    decision_wait: {DECISION_WAIT_S}s\n"
    tail += "" if ours else "    num_traces: 2000000\n"
    tail += f"    policies:{POLICIES}\n"
    processors = ["tail_sampling"] if pipeline == "tail" else []
    quiet = "" if ours else "{metrics: {level: none}, logs: {level: error}}"
    telemetry = quiet or f'{{metrics: {{address: "127.0.0.1:{lab.free_port()}"}}}}'
    marking = "" if ours else "    message_marking: {after: true}\n"
    return f"""
receivers:
  kafka:
    brokers: ["{bootstrap}"]
    group_id: perf-{os.getpid()}-{time.monotonic_ns()}
    initial_offset: earliest
{marking}    traces: {{topics: [{topic}]}}
processors:
  batch: {{}}
{tail}exporters:
  otlp:
    endpoint: 127.0.0.1:{port}
    tls: {{insecure: true}}
    compression: none
    timeout: 60s
extensions:
  health_check: {{endpoint: "127.0.0.1:{health}"}}
service:
  extensions: [health_check]
  telemetry: {telemetry}
  pipelines:
    traces:
      receivers: [kafka]
      processors: [{", ".join([*processors, "batch"])}]
      exporters: [otlp]
"""


async def drain(subject: str, pipeline: str, bootstrap: str, topic: str, loaded: Loaded) -> Outcome:
    """
    Drain the topic once.

    Raises:
        lab.LostSpan: If a span of a pass-through run did not come.
    """
    health = lab.free_port()
    with sink() as hole:
        path = lab.write_config(config(subject, pipeline, bootstrap, topic, hole.port, health))
        command = (
            lab.bridge_command(path)
            if subject == "bridge"
            else [str(lab.PEERS / "bin/otelcol-peer"), "--config", str(path)]
        )
        with lab.running(subject, command, health) as process:
            started = time.monotonic()
            wall_s = await _until_quiet(hole, process, loaded, pipeline, started)
            cost_s, rss_mib = process.cpu_s(), process.peak_rss_mib()
            found = await hole.ask(f"{loaded.first_id} {loaded.spans}")
    if found["spurious"]:
        raise lab.LostSpan(f"{found['spurious']} spans that nobody sent")
    if pipeline == "pass" and found["missing"]:
        raise lab.LostSpan(f"{found['missing']} of {loaded.spans} spans did not come")
    return Outcome(cost_s / loaded.spans * 1e6, rss_mib, wall_s, found["spans"], found["twice"])


async def _until_quiet(
    hole: Sink, process: lab.Process, loaded: Loaded, pipeline: str, started: float
) -> float:
    """Wait until nothing comes any more and the subject rests; seconds until the last span."""
    last, last_at, quiet_s = -1, time.monotonic(), 4.0 if pipeline == "pass" else 12.0
    while time.monotonic() - started < 600:
        await asyncio.sleep(0.5)
        spans = (await hole.ask())["spans"]
        if spans != last:
            last, last_at = spans, time.monotonic()
        if pipeline == "pass" and spans >= loaded.spans:
            break
        if spans and time.monotonic() - last_at > quiet_s:
            break
        if process.popen.poll() is not None:
            raise RuntimeError(process.log.read_text()[-3000:])
    return last_at - started


async def table(options: argparse.Namespace, bootstrap: str) -> tuple[list[str], object]:
    """All runs in turns; the lines of the result."""
    rows: dict[tuple[str, str, str], list[Outcome]] = {}
    for layout in options.layouts:
        async with lab.topic(bootstrap, f"perf-{layout}") as topic:
            loaded = await preload(bootstrap, topic, layout, options.spans, options.rate)
            print(f"{layout}: {loaded}", flush=True)
            for _, pipeline, subject in itertools.product(
                range(options.repeats), options.pipelines, options.subjects
            ):
                try:
                    outcome = await drain(subject, pipeline, bootstrap, topic, loaded)
                except lab.LostSpan as error:
                    print(f"{layout} {pipeline} {subject}: no figure: {error}", flush=True)
                    continue
                rows.setdefault((layout, pipeline, subject), []).append(outcome)
                print(f"{layout} {pipeline} {subject}: {outcome}", flush=True)
    lines = ["# Processing: Kafka to OTLP, CPU µs a span (min / median / max)", ""]
    lines += [f"- {key}: {value}" for key, value in lab.machine().items()]
    lines += [
        f"- {options.spans:,} spans preloaded in 12 partitions, {options.repeats} repeats",
        f"- record time at {options.rate:,.0f} spans/s, decision_wait {DECISION_WAIT_S} s",
        "",
        "| layout | pipeline | subject | CPU µs a span | peak RSS MiB | wall s | kept spans |",
        "|---|---|---|---|---|---|---|",
    ]
    for (layout, pipeline, subject), found in rows.items():
        cost = lab.Figures([outcome.cpu_us_a_span for outcome in found])
        rss = max(outcome.peak_rss_mib for outcome in found)
        wall = lab.Figures([outcome.wall_s for outcome in found])
        kept = sorted({outcome.kept for outcome in found})
        lines.append(
            f"| {layout} | {pipeline} | {subject} | {cost} | {rss:.0f} | {wall.median:.1f} "
            f"| {kept} |"
        )
    return lines, {" ".join(key): [vars(o) for o in found] for key, found in rows.items()}


def main() -> None:
    """Run from the command line; writes ``perf/results/``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--subjects", nargs="+", choices=SUBJECTS[:2], default=["bridge", "collector"]
    )
    parser.add_argument("--layouts", nargs="+", default=["packed", "keyed"])
    parser.add_argument("--pipelines", nargs="+", default=["pass", "tail"])
    parser.add_argument("--spans", type=int, default=2_000_000)
    parser.add_argument("--rate", type=float, default=20_000.0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--save", default="")
    options = parser.parse_args()
    with KafkaServer(heap_mib=1024, java_options=()) as kafka:
        lines, data = asyncio.run(table(options, kafka.bootstrap))
    lab.report(options.save, lines, data)


if __name__ == "__main__":
    main()
