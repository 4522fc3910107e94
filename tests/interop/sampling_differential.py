"""
The sampler beside a Collector: random traces, many configurations, the same decisions.

``python -m tests.interop.sampling_differential --record`` asks the Collector anew about the seeds
whose answers `make test` compares with; without it only the table is printed, of any seeds.
"""

import argparse
import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bridge.testing import Order
from tests.interop.sampling_collector import ask_collector
from tests.vectors import sampling_answers
from tests.vectors.sampling import sample
from tests.vectors.sampling_answers import RECORDED_SEEDS, Question, questions

WAYS = {
    "OTLP, as SDKs write": (Order.SDK, False),
    "Kafka, as Collectors write": (Order.COLLECTOR, True),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One configuration: what came out of the Collector, and what does of the bridge."""

    kind: str
    name: str
    traces: int
    spans: int
    answer: str
    differs: tuple[str, ...]
    """The ways into the bridge by which something else comes out."""


async def compare(question: Question, folder: Path) -> list[Row]:
    """
    Ask both sides.

    Args:
        folder:
            An empty one for the Collector's files.
    """
    configs = question.configs
    theirs = await ask_collector(list(configs.values()), question.encoded(Order.SDK), folder)
    rows = []
    for (name, config), sampled in zip(configs.items(), theirs, strict=True):
        answer = question.answer(name, sampled)
        differs = []
        for way, (order, by_kafka) in WAYS.items():
            ours = await sample(config, question.encoded(order), by_kafka=by_kafka)
            if question.answer(name, ours) != answer:
                differs.append(way)
        total = sampled.total()
        rows.append(Row(question.kind, name, len(sampled), total, answer, tuple(differs)))
    return rows


async def compare_all(seed: int) -> list[Row]:
    """Both kinds of question about one seed."""
    rows = []
    for question in questions(seed):
        with tempfile.TemporaryDirectory() as folder:
            rows += await compare(question, Path(folder))
    return rows


def table(seed: int, rows: list[Row]) -> str:
    """The rows as Markdown, differences first."""
    differing = sum(bool(row.differs) for row in rows)
    lines = [
        f"Seed {seed}: {len(rows)} configurations, {differing} differ.",
        "",
        "| traces come | configuration | sampled traces | spans | differs by |",
        "|---|---|---:|---:|---|",
    ]
    for row in sorted(rows, key=lambda row: not row.differs):
        differs = "; ".join(row.differs) or "-"
        name = row.name.replace("|", "\\|")
        lines.append(f"| {row.kind} | {name} | {row.traces} | {row.spans} | {differs} |")
    return "\n".join(lines)


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="keep the answers for make test")
    parser.add_argument("--seeds", type=int, nargs="*", default=RECORDED_SEEDS)
    asked = parser.parse_args()
    answers: dict[int, dict[str, dict[str, str]]] = {}
    for seed in asked.seeds:
        rows = await compare_all(seed)
        print(table(seed, rows), end="\n\n", flush=True)
        answers[seed] = {}
        for row in rows:
            answers[seed].setdefault(row.kind, {})[row.name] = row.answer
    if asked.record:
        sampling_answers.write(answers)


if __name__ == "__main__":
    asyncio.run(_main())
