"""
Twenty minutes at half load: memory stays where it was, and no task or file is left behind.

    python perf/soak.py --minutes 20 --save soak          # what `make soak` does
    python perf/soak.py --minutes 2 --settle 0.5          # to try it

An ingest side, and a process side with filter, tail sampling (which keeps all, so that every span
can be looked for) and batch. Half load is half of what both sides bring through with 64 requests in
flight on this machine at this moment. Resident memory, tasks and open files are read every second.
Of memory counts the median of the last minute against that of the minute in which it had settled,
the fifth. Tasks and files come and go with the load: theirs are counted at rest, before it and
after it. Exit code 1 says that a figure is above its bound, or that a span was lost.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import lab
import uvloop
from whole import Whole, offer, saturate, whole

from tests.kafka_server import KafkaServer

SPANS_A_REQUEST = 50
GROWTH_MAX = 0.05
MORE_AT_REST_MAX = 2
"""Tasks or files: one that is just being answered, or a connection that is being replaced."""

SATURATING_S = 10.0
REST_S = 8.0
PROCESSORS = """\
  filter/health: {trace_conditions: ['span.attributes["url.path"] == "/healthz"']}
  tail_sampling: {decision_wait: 5s, policies: [{name: all, type: always_sample}]}
  batch: {}
"""
NAMES = ("filter/health", "tail_sampling", "batch")
FIGURES = ("resident MiB", "tasks", "open files")


@dataclass
class Readings:
    """What one side was like, once a second: seconds since the start, then `FIGURES`."""

    rows: list[tuple[float, float, float, float]] = field(default_factory=list)

    def around(self, begin_s: float, end_s: float) -> tuple[float, ...]:
        """Medians of the figures between two moments."""
        chosen = [row[1:] for row in self.rows if begin_s <= row[0] < end_s]
        return tuple(median(column) for column in zip(*chosen, strict=True))

    def most(self) -> tuple[float, ...]:
        """The largest of each figure."""
        return tuple(max(column) for column in list(zip(*self.rows, strict=True))[1:])


async def read(whole: Whole, readings: dict[str, Readings]) -> None:
    """Once a second, until cancelled."""
    began = time.monotonic()
    while True:
        for name, side in whole.sides.items():
            tasks = await side.figure("bridge_process_tasks")
            files = await side.figure("bridge_process_open_files")
            readings[name].rows.append((time.monotonic() - began, side.rss_mib, tasks, files))
        await asyncio.sleep(1.0)


async def sustainable(whole: Whole) -> float:
    """Requests a second that come through both sides with 64 in flight."""
    began, before = time.monotonic(), await whole.delivered()
    _, load = await saturate(whole, SATURATING_S)
    wanted = before + len(load.acknowledged) * whole.requests.spans
    until = began + 10 * SATURATING_S
    while await whole.delivered() < wanted and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    held_s = 5.0  # The time for which tail sampling holds each trace is no work.
    return len(load.acknowledged) / (time.monotonic() - began - held_s)


async def at_rest(whole: Whole) -> dict[str, tuple[float, float]]:
    """Tasks and open files of each side, once nothing is in flight any more."""
    await asyncio.sleep(REST_S)
    return {
        name: (
            await side.figure("bridge_process_tasks"),
            await side.figure("bridge_process_open_files"),
        )
        for name, side in whole.sides.items()
    }


def memory_rows(
    readings: dict[str, Readings], settle_s: float, seconds: float, window_s: float
) -> tuple[list[str], list[str]]:
    """Rows of the table, and what is wrong."""
    rows, wrong = [], []
    for name, found in readings.items():
        early = found.around(settle_s - window_s, settle_s)
        late = found.around(seconds - window_s, seconds)
        for what, first, last, most in zip(FIGURES, early, late, found.most(), strict=True):
            growth = last / first - 1
            rows.append(
                f"| {name} | {what} | {first:.1f} | {last:.1f} | {growth:+.1%} | {most:.1f} |"
            )
            if what == FIGURES[0] and growth > GROWTH_MAX:
                wrong.append(f"{what} of {name} grew by {growth:.1%}")
    return rows, wrong


def rest_rows(
    before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]
) -> tuple[list[str], list[str]]:
    """The same for what is left at rest."""
    rows, wrong = [], []
    for name in before:
        for what, first, last in zip(FIGURES[1:], before[name], after[name], strict=True):
            rows.append(f"| {name} | {what} at rest | {first:.0f} | {last:.0f} | | |")
            if last > first + MORE_AT_REST_MAX:
                wrong.append(f"{name} keeps {last - first:.0f} more {what}")
    return rows, wrong


async def soak(options: argparse.Namespace, bootstrap: str) -> tuple[list[str], list[str]]:
    """The run; lines of the result, and what is wrong."""
    seconds, settle_s = options.minutes * 60, options.settle * 60
    window_s = min(60.0, settle_s / 2)
    async with whole(bootstrap, bootstrap, SPANS_A_REQUEST, PROCESSORS, NAMES) as rig:
        await saturate(rig, 2.0)
        full = await sustainable(rig)
        before = await at_rest(rig)
        readings = {name: Readings() for name in rig.sides}
        watching = asyncio.create_task(read(rig, readings))
        try:
            load = await offer(rig, full / 2, seconds)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        account = await rig.account(load.acknowledged)
        after = await at_rest(rig)
        log = "".join(side.process.log.read_text() for side in rig.sides.values())
    rows, wrong = memory_rows(readings, settle_s, seconds, window_s)
    kept, more = rest_rows(before, after)
    rows, wrong = rows + kept, wrong + more
    wrong += [f"{account[what]} spans {what}" for what in ("missing", "spurious") if account[what]]
    if load.answers.keys() - {"0"} or load.unsent:
        wrong.append(f"answers {dict(load.answers)}, {load.unsent} requests not sent")
    rate = full / 2 * SPANS_A_REQUEST
    lines = ["# Soak: half load", ""]
    lines += [f"- {key}: {value}" for key, value in lab.machine().items()]
    lines += [
        f"- command: `make soak ARGS='{' '.join(sys.argv[1:])}'`",
        (
            f"- {options.minutes:g} minutes at {rate:,.0f} spans/s in requests of "
            f"{SPANS_A_REQUEST}, half of what came through with 64 in flight"
        ),
        (
            f"- figures under load are medians of {window_s:.0f} s, before minute "
            f"{options.settle:g} and before the end; those at rest are from before and after"
        ),
        (
            f"- spans: {account['acknowledged']:,} acknowledged, {account['missing']} missing, "
            f"{account['twice']} more than once, {account['spurious']} never sent; requests "
            f"answered {dict(load.answers)}; p99 {load.quantile(0.99) * 1e3:.0f} ms"
        ),
        f"- lines of log of both sides: {log.count(chr(10))}",
        f"- result: {'; '.join(wrong) or 'passed'}",
        "",
        "| side | figure | before | after | growth | most |",
        "|---|---|--:|--:|--:|--:|",
        *rows,
    ]
    return lines, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; writes ``perf/results/`` with --save."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--settle", type=float, default=5.0, help="minute when memory has settled")
    parser.add_argument("--save", default="", help="name of the result file; empty only prints")
    options = parser.parse_args(arguments)
    if not 0 < options.settle < options.minutes:
        parser.error("--settle must lie before the end, --minutes")
    with KafkaServer(heap_mib=512) as kafka:
        lines, wrong = uvloop.run(soak(options, kafka.bootstrap))
    lab.report(options.save, lines)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
