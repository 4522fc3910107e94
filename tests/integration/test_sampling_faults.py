"""
Samplers that are killed and rebalanced, the short way; ``make faults`` has the long one.

A failure prints the seed; ``FAULTS_SEED`` repeats it.
"""

import os
import random
from pathlib import Path

import pytest

from tests.faults.storm import Storm, kill_at_random_moments, rebalance
from tests.kafka_client import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

KILLS = 3
STORM_S = 20.0


@pytest.fixture
def seed() -> int:
    """Printed with a failure."""
    return int(os.environ.get("FAULTS_SEED") or random.SystemRandom().getrandbits(31))


async def test_sampler_killed_at_random_moments_loses_and_halves_nothing(
    kafka: Kafka, tmp_path: Path, seed: int
) -> None:
    """kill -9 within decision_wait: failed traces come whole, others never, no commit is early."""
    async with Storm(kafka, tmp_path, seed) as storm:
        await kill_at_random_moments(storm, KILLS)
        await storm.settle(60.0)


async def test_sampler_in_a_rebalance_storm_loses_and_halves_nothing(
    kafka: Kafka, tmp_path: Path, seed: int
) -> None:
    """A member joins and leaves every 3 s: the same holds."""
    async with Storm(kafka, tmp_path, seed) as storm:
        await rebalance(storm, STORM_S)
        await storm.settle(60.0)
