"""
Some 4000 configs, and what a Collector 0.155 made of one request each.

A case is a processor, the request's name, the config, and the answer: ``start`` where the Collector
refused the config, ``none`` where nothing came out, or how the output differs from the input.
"""

import importlib
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from tests.vectors.comparison import load, normal
from tests.vectors.differences import differences
from tests.vectors.processing import outcome_of

VECTORS = load("collector_answers")
FIXTURES = {
    **load("ottl_traces")["fixtures"],
    **load("ottl_logs_metrics")["fixtures"],
    **VECTORS["fixtures"],
}
CHUNK = 100

Case = tuple[str, str, dict[str, Any], Any]


def _chunks() -> Iterator[Any]:
    for (kind, fixture), group in groupby(VECTORS["cases"], key=lambda case: case[:2]):
        cases = list(group)
        for start in range(0, len(cases), CHUNK):
            yield pytest.param(cases[start : start + CHUNK], id=f"{kind}-{fixture}-{start}")


async def _answer(kind: str, fixture: str, config: dict[str, Any]) -> Any:
    factory = importlib.import_module(f"bridge.processors.{kind}").FACTORY
    request = FIXTURES[fixture]
    try:
        outcome = await outcome_of(factory, config, request)
    except ValueError:
        return "start"
    if isinstance(outcome, str):
        return "none" if outcome in ("run", "dropped") else outcome
    unordered = "aggregate_on" in str(config)
    return differences(normal(request, unordered_points=unordered), outcome)


@pytest.mark.parametrize("cases", list(_chunks()))
async def test_processor_gives_the_collectors_answer(cases: list[Case]) -> None:
    """Each config does to the request what it does in the Collector."""
    wrong = [
        (config, expected, actual)
        for kind, fixture, config, expected in cases
        if expected != (actual := await _answer(kind, fixture, config))
    ]

    assert wrong == []
