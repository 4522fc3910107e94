"""
Memory of tail sampling on a backlog against that at steady flow: it must not follow the backlog.

    python perf/catching_up.py --rate 20000 --backlog 10

A backlog of so many times `decision_wait` of traffic is drained at full speed; then, into another
topic, the same traffic is written live for as long as `--steady-s`. Both with the same policies, in
both layouts. Prints the largest resident sizes and their ratio.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import lab
from preload import preload
from process import DECISION_WAIT_S, Sink, config, sink

from tests.kafka_server import KafkaServer

LAYOUTS = ("packed", "keyed")


@dataclass(frozen=True)
class Run:
    """One bridge with its black hole."""

    process: lab.Process
    hole: Sink


@contextlib.asynccontextmanager
async def sampling(bootstrap: str, topic: str) -> AsyncIterator[Run]:
    """A bridge that samples the topic."""
    health = lab.free_port()
    with sink() as hole:
        path = lab.write_config(config("bridge", "tail", bootstrap, topic, hole.port, health))
        with lab.running("bridge", lab.bridge_command(path), health) as process:
            yield Run(process, hole)


async def until_quiet(run: Run) -> None:
    """Wait until nothing came for some time longer than traces wait."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < DECISION_WAIT_S + 5:
        await asyncio.sleep(0.5)
        spans = (await run.hole.ask())["spans"]
        if spans != last:
            last, since = spans, time.monotonic()


async def catching_up(bootstrap: str, layout: str, options: argparse.Namespace) -> float:
    """The largest resident size in MiB while a backlog is drained."""
    spans = int(options.rate * DECISION_WAIT_S * options.backlog)
    async with lab.topic(bootstrap, f"backlog-{layout}") as topic:
        await preload(bootstrap, topic, layout, spans, options.rate)
        async with sampling(bootstrap, topic) as run:
            await until_quiet(run)
            return run.process.peak_rss_mib()


async def steady(bootstrap: str, layout: str, options: argparse.Namespace) -> float:
    """The largest resident size in MiB at steady flow."""
    spans = int(options.rate * options.steady_s)
    async with (
        lab.topic(bootstrap, f"steady-{layout}") as topic,
        sampling(bootstrap, topic) as run,
    ):
        began = time.monotonic()
        await preload(bootstrap, topic, layout, spans, options.rate, live=True)
        late_s = time.monotonic() - began - options.steady_s
        if late_s > options.steady_s / 10:
            print(f"{layout}: writing fell behind by {late_s:.1f} s: no steady flow", flush=True)
        await until_quiet(run)
        return run.process.peak_rss_mib()


async def table(options: argparse.Namespace, bootstrap: str) -> tuple[list[str], object]:
    """The lines of the result."""
    lines = ["# Tail sampling: memory while catching up, against steady flow", ""]
    lines += [f"- {key}: {value}" for key, value in lab.machine().items()]
    lines += [
        f"- {options.rate:,.0f} spans/s of record time, decision_wait {DECISION_WAIT_S} s",
        f"- backlog of {options.backlog} times that, steady flow for {options.steady_s} s",
        "",
        "| layout | catching up, peak RSS MiB | steady, peak RSS MiB | ratio |",
        "|---|---|---|---|",
    ]
    data = {}
    for layout in options.layouts:
        behind = await catching_up(bootstrap, layout, options)
        level = await steady(bootstrap, layout, options)
        data[layout] = {"catching_up_mib": behind, "steady_mib": level}
        lines.append(f"| {layout} | {behind:.0f} | {level:.0f} | {behind / level:.2f} |")
        print(lines[-1], flush=True)
    return lines, data


def main() -> None:
    """Run from the command line; writes ``perf/results/`` with ``--save``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--rate", type=float, default=20_000.0)
    parser.add_argument("--backlog", type=int, default=10)
    parser.add_argument("--steady-s", type=int, default=30)
    parser.add_argument("--save", default="")
    options = parser.parse_args()
    with KafkaServer(heap_mib=1024, java_options=()) as kafka:
        lines, data = asyncio.run(table(options, kafka.bootstrap))
    lab.report(options.save, lines, data)


if __name__ == "__main__":
    main()
