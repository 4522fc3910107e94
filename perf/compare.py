"""
This project beside a Collector and rotel, in turns, in one run on one machine.

    perf/compare [--quick] [--repeats 3] [--legs ingest gzip http process latency flat]

Each run is written to ``perf/results/`` when it has ended; the same command on the same day and
commit goes on where it was stopped. The tables are written again after every run.
"""

import argparse
import asyncio
import itertools
import random
import sys
import traceback
from contextlib import AsyncExitStack

import lab
from compare_book import Book
from compare_plan import ALL, LEGS, Row, rows
from compare_report import report
from ingest import measure
from latency import measure_latency
from plots import plot
from preload import Loaded, preload
from process import drain

from tests.kafka_server import KafkaServer

QUICK_SPANS, FULL_SPANS = 600_000, 2_000_000
RATE = 20_000.0
"""Spans a second of record time in preloaded topics."""


class Comparison:
    """One run of the whole."""

    def __init__(self, options: argparse.Namespace, bootstrap: str) -> None:
        self._options = options
        self._bootstrap = bootstrap
        self._rows = rows(options.legs, quick=options.quick)
        name = options.save or ("compare-quick" if options.quick else "compare")
        self._book = Book(name, fresh=options.fresh)
        self._number = itertools.count()
        # What changes: topics that are filled already, by layout.
        self._filled: dict[str, tuple[str, Loaded]] = {}
        self._topics = AsyncExitStack()

    async def run(self) -> None:
        """Whatever is not in the book yet; tables and plots after each run."""
        async with self._topics:
            for repeat, row in itertools.product(range(self._options.repeats), self._rows):
                subjects = [s for s in row.subjects if s in self._options.subjects]
                random.Random(f"{repeat} {row.name}").shuffle(subjects)
                for subject in subjects:
                    if not self._book.has(row, subject, repeat):
                        await self._one(row, subject, repeat)
        self._tell(printed=True)

    async def _one(self, row: Row, subject: str, repeat: int) -> None:
        what = f"repeat {repeat}: {row.leg}, {row.name}, {subject}"
        try:
            async with asyncio.timeout(600):
                outcome = await self._measure(row, subject)
        except (lab.LostSpan, TimeoutError, RuntimeError, OSError) as error:
            traceback.print_exc()
            self._book.fail(f"{what}: {error!r:.300}")
            return
        self._book.add(row, subject, repeat, outcome)
        shown = ", ".join(f"{key} {value:.2f}" for key, value in outcome.items())
        print(f"{what}: {shown}", flush=True)
        self._tell(printed=False)

    async def _measure(self, row: Row, subject: str) -> dict[str, float]:
        if row.leg == "process":
            topic, loaded = await self._fill(row.layout)
            drained = await drain(subject, row.pipeline, self._bootstrap, topic, loaded)
            return {key: float(value) for key, value in vars(drained).items()}
        assert row.case is not None
        if row.leg == "latency":
            number = next(self._number)
            return await measure_latency(subject, row.case, self._bootstrap, number)
        outcome = await measure(subject, row.case, self._bootstrap, next(self._number))
        return {key: float(value) for key, value in vars(outcome).items()}

    async def _fill(self, layout: str) -> tuple[str, Loaded]:
        found = self._filled.get(layout)
        if found is None:
            spans = QUICK_SPANS if self._options.quick else FULL_SPANS
            topic = await self._topics.enter_async_context(
                lab.topic(self._bootstrap, f"perf-{layout}")
            )
            loaded = await preload(self._bootstrap, topic, layout, spans, RATE)
            found = self._filled[layout] = topic, loaded
        return found

    def _tell(self, *, printed: bool) -> None:
        command = " ".join(["perf/compare", *sys.argv[1:]])
        lines = report(self._book, self._rows, self._options.repeats, command)
        path = self._book.path.with_suffix(".md")
        path.write_text("\n".join(lines) + "\n")
        plot(self._book, self._rows, self._book.path.with_suffix(".svg"))
        if printed:
            print("\n".join(lines))
            print(f"written: {path}, with .json and .svg beside it")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one repeat of less, in ten minutes")
    parser.add_argument("--repeats", type=int, help="3, or 1 with --quick")
    parser.add_argument("--legs", nargs="+", choices=LEGS, default=list(LEGS))
    parser.add_argument("--subjects", nargs="+", choices=ALL, default=list(ALL))
    parser.add_argument("--fresh", action="store_true", help="forget the runs of today")
    parser.add_argument("--save", default="", help="name of the result files, without the date")
    options = parser.parse_args()
    options.repeats = options.repeats or (1 if options.quick else 3)
    with KafkaServer(heap_mib=1024, java_options=()) as kafka:
        asyncio.run(Comparison(options, kafka.bootstrap).run())


if __name__ == "__main__":
    main()
