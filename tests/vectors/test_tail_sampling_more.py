"""
Some 560 configurations, each with what a Collector 0.155.0 sampled of the same random traces.

`make interop` asks a Collector again, about these and about new ones.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from bridge.testing import Order
from tests.vectors import sampling_answers
from tests.vectors.sampling import sample
from tests.vectors.sampling_answers import RECORDED_SEEDS, Question, questions

CHUNK = 40


def _cases() -> Iterator[Any]:
    for seed in RECORDED_SEEDS:
        for question in questions(seed):
            names = list(question.configs)
            for start in range(0, len(names), CHUNK):
                shown = f"{seed}-{question.kind}-{start}"
                yield pytest.param(seed, question, names[start : start + CHUNK], id=shown)


@pytest.mark.parametrize("by_kafka", [False, True], ids=["otlp", "kafka"])
@pytest.mark.parametrize(("seed", "question", "names"), list(_cases()))
async def test_sampler_samples_what_the_collector_did(
    seed: int, question: Question, names: list[str], by_kafka: bool
) -> None:
    """By OTLP in the order in which SDKs write fields, as records in that of Collectors."""
    recorded = sampling_answers.read()[str(seed)][question.kind]
    requests = question.encoded(Order.COLLECTOR if by_kafka else Order.SDK)
    differing = []
    for name in names:
        sampled = await sample(question.configs[name], requests, by_kafka=by_kafka)
        if question.answer(name, sampled) != recorded["answers"][name]:
            differing.append(name)

    assert not differing


@pytest.mark.parametrize("seed", RECORDED_SEEDS)
def test_recorded_answers_are_about_these_traces_and_configurations(seed: int) -> None:
    """Whoever changes either must ask a Collector again, see `sampling_answers`."""
    for question in questions(seed):
        recorded = sampling_answers.read()[str(seed)][question.kind]

        assert recorded["fingerprint"] == question.fingerprint
        assert recorded["answers"].keys() == question.configs.keys()
