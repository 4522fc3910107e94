"""The same traces are sampled as by a Collector 0.155.0, of random traces by many policies."""

import random

import pytest

from tests.interop.sampling_differential import compare_all, table
from tests.vectors import sampling_answers

pytestmark = pytest.mark.timeout(300)


async def test_sampler_decides_random_traces_as_the_collector_does() -> None:
    """A new seed in every run: 320 traces at once and 120 in parts by 300 configurations."""
    seed = random.SystemRandom().randrange(3, 1 << 20)
    rows = await compare_all(seed)

    print(text := table(seed, rows))
    assert not [row.name for row in rows if row.differs], text


@pytest.mark.parametrize("seed", sampling_answers.RECORDED_SEEDS)
async def test_collector_still_answers_as_was_recorded(seed: int) -> None:
    """What `make test` compares with is what a Collector says."""
    recorded = sampling_answers.read()[str(seed)]
    for row in await compare_all(seed):
        assert recorded[row.kind]["answers"][row.name] == row.answer, row.name
        assert not row.differs
