"""Tail sampling between crashes and jumping clocks: every trace whole, or dropped by its rule."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.testing import Order
from tests.faults import storm
from tests.faults.clock import HOUR_S, Clock
from tests.faults.cluster import Cluster
from tests.faults.scene import Scene
from tests.faults.table import Row

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

DECISION_WAIT_S = 4
SAMPLING = {"tail_sampling": {**storm.SAMPLING["tail_sampling"], "decision_wait": "4s"}}
KILLS = 20
STORM_S = 60.0


async def _send_halves(s: Scene, traces: int, pause_s: float) -> None:
    """Send the first halves of so many traces, pause, and send the second ones."""
    late = []
    for number in range(traces):
        failed = number % 3 == 0
        order = s.dice.choice(list(Order))
        first, second = storm.halves(s.dice.getrandbits(60), failed, order)
        for part in (first, second):
            s.oracle.mint(part)
            if not failed:
                s.oracle.drop(part.span_ids)
        await s.clients.send_one(first)
        late.append(second)
    await asyncio.sleep(pause_s)
    for part in late:
        await s.clients.send_one(part)


@pytest.mark.faults("F2, sampling")
async def test_kill_between_the_halves_of_traces_splits_none(scene: Callable[..., Scene]) -> None:
    """kill -9 twice within decision_wait: traces with an error come whole, the others never."""
    async with scene(partitions=3) as s:
        await s.ingest()
        await s.process(processors=SAMPLING)
        sending = asyncio.create_task(_send_halves(s, 60, 1.0))
        for _ in range(2):
            await asyncio.sleep(DECISION_WAIT_S * s.dice.uniform(0.4, 0.9))
            await s.kill("process")
            await s.bridges["process"].process.start()
        await sending
        await s.settle(drain_s=90, fresh=False)
        s.row.notes.append(f"decision_wait {DECISION_WAIT_S} s, every third trace kept")


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
@pytest.mark.faults("F40, sampling")
async def test_clock_jump_between_the_halves_decides_nothing_early(
    scene: Callable[..., Scene], clock: Clock, jump_s: int
) -> None:
    """The process side's clock jumps while traces wait: they are decided on both halves."""
    async with scene(partitions=3) as s:
        clock.detach()
        await s.ingest()
        clock.attach()
        await s.process(processors=SAMPLING)
        await asyncio.sleep(4)
        sending = asyncio.create_task(_send_halves(s, 12, 2.0))
        await asyncio.sleep(1.5)
        clock.move(jump_s)
        await sending
        await asyncio.sleep(DECISION_WAIT_S + 4)
        early = len(s.oracle.missing)
        clock.move(0)
        await s.settle(drain_s=60, fresh=False)
        s.row.notes.append(f"clock {jump_s / HOUR_S:+.0f} h; {early} spans waited for its return")


@pytest.mark.timeout(900)
@pytest.mark.faults("F2, sampling, 20 times")
async def test_kill_at_twenty_moments_loses_and_halves_nothing(
    cluster: Cluster, tmp_path: Path, seed: int, row: Row
) -> None:
    """kill -9 at 20 random moments in decision_wait; the oracle knows every span and commit."""
    async with storm.Storm(cluster, tmp_path, seed) as running:
        await storm.kill_at_random_moments(running, KILLS)
        await running.settle(120.0)
        running.fill(row)


@pytest.mark.timeout(400)
@pytest.mark.faults("F12, sampling")
async def test_rebalance_storm_loses_and_halves_nothing(
    cluster: Cluster, tmp_path: Path, seed: int, row: Row
) -> None:
    """A member joins and leaves every 3 s for a minute; the same holds."""
    async with storm.Storm(cluster, tmp_path, seed) as running:
        await storm.rebalance(running, STORM_S)
        await running.settle(120.0)
        running.fill(row)
