"""Exchanging the stage behind a source while data passes."""

import asyncio

from bridge.core import ACCEPTED, Batch, Origin, Receipt, Signal
from bridge.service.switch import Switch

BATCH = Batch(Signal.TRACES, b"", 0, Origin("in"))


class Gate:
    """A stage that answers when it is opened."""

    def __init__(self) -> None:
        self.entered = 0
        self.open = asyncio.Event()

    async def deliver(self, batch: Batch) -> Receipt:
        self.entered += 1
        await self.open.wait()
        return ACCEPTED


async def test_switch_keeps_deliveries_where_they_began() -> None:
    """What is under way ends in the old stage, what begins goes to the new one."""
    old, new = Gate(), Gate()
    switch = Switch(old)
    first = asyncio.create_task(switch.deliver(BATCH))
    await asyncio.sleep(0)
    passage = switch.turn(new)
    second = asyncio.create_task(switch.deliver(BATCH))
    empty = asyncio.create_task(passage.wait_empty())
    await asyncio.sleep(0)
    assert (old.entered, new.entered, switch.stage is new) == (1, 1, True)

    new.open.set()
    await second
    assert not empty.done()
    old.open.set()
    await empty
    assert first.done()
    assert await first is ACCEPTED


async def test_passage_waits_for_the_last_and_counts_the_cancelled() -> None:
    """The first to leave does not end the wait; a cancelled delivery has left too."""
    gate = Gate()
    switch = Switch(gate)
    tasks = [asyncio.create_task(switch.deliver(BATCH)) for _ in range(2)]
    await asyncio.sleep(0)
    passage = switch.turn(Gate())
    empty = asyncio.create_task(passage.wait_empty())
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.wait((tasks[0],))
    for _ in range(3):
        await asyncio.sleep(0)
    assert (passage.under_way, empty.done()) == (1, False)
    gate.open.set()
    await empty


async def test_passage_that_nobody_used_is_empty() -> None:
    """Nothing to wait for."""
    await Switch(Gate()).turn(Gate()).wait_empty()
