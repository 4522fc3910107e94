"""The stage that does what the test says."""

import asyncio

import pytest

from bridge.core import Batch, Origin, Overloaded, Receipt, Refused, Signal
from bridge.testing import FakeStage, settle

BATCH = Batch(Signal.TRACES, b"", 2, Origin("test"))


async def test_stage_follows_script_then_default() -> None:
    """Scripted outcomes come first, in order; only what was taken is kept."""
    stage = FakeStage(Refused("no"), Receipt(1, "one bad"))

    with pytest.raises(Refused, match="no"):
        await stage.deliver(BATCH)
    second, third = await stage.deliver(BATCH), await stage.deliver(BATCH)

    assert (second.rejected_items, third.rejected_items) == (1, 0)
    assert (len(stage.offered), len(stage.taken), stage.items) == (3, 2, 4)


async def test_stage_raises_a_fresh_error_each_time() -> None:
    """One error in the script is raised as separate objects with equal content."""
    stage = FakeStage(otherwise=Overloaded("full", retry_after_s=7.0))
    seen = []
    for _ in range(2):
        with pytest.raises(Overloaded, match="full") as raised:
            await stage.deliver(BATCH)
        seen.append(raised.value)

    assert seen[0] is not seen[1]
    assert seen[1].retry_after_s == 7.0


async def test_stage_held_waits_for_release() -> None:
    """Calls made while it holds are counted at once and answered after the release."""
    stage = FakeStage()
    stage.hold()
    tasks = [asyncio.create_task(stage.deliver(BATCH)) for _ in range(3)]
    await stage.wait_offered(3)
    waiting = (stage.in_flight, len(stage.taken))
    stage.release()
    await asyncio.gather(*tasks)

    assert waiting == (3, 0)
    assert (stage.in_flight, stage.in_flight_max, len(stage.taken)) == (0, 3, 3)


async def test_stage_cancelled_call_is_not_taken() -> None:
    """A cancelled delivery is noted and takes nothing."""
    stage = FakeStage()
    stage.hold()
    task = asyncio.create_task(stage.deliver(BATCH))
    await stage.wait_offered()
    task.cancel()
    await settle()

    assert (stage.cancelled, stage.taken) == (1, [])
