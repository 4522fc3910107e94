"""Exchanging the stage behind a source while data passes."""

import asyncio

import pytest

from bridge.core import ACCEPTED, Batch, Origin, Outcome, Receipt, Signal, Unavailable
from bridge.service.switch import Switch
from tests.unit.beginning import FakeBeginner

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


async def test_switch_begins_where_the_stage_of_the_moment_can() -> None:
    """What began is counted as under way until it is settled, also after the way was turned."""
    old = FakeBeginner()
    switch, outcomes = Switch(old), list[Outcome]()
    begun = switch.begin_delivery(BATCH, outcomes.append)
    passage = switch.turn(Gate())
    before = passage.under_way
    empty = asyncio.create_task(passage.wait_empty())
    ((_, settle),) = old.begun
    settle(ACCEPTED)
    await empty

    assert begun is not None
    assert before == 1
    assert passage.under_way == 0
    assert outcomes == [ACCEPTED]
    assert not switch.begins
    assert switch.begin_delivery(BATCH, outcomes.append) is None


@pytest.mark.parametrize("answer", [None, Unavailable("full")])
async def test_switch_is_empty_after_what_did_not_begin(answer: Exception | None) -> None:
    """A stage that wants `deliver` or refuses has nothing under way."""
    switch = Switch(FakeBeginner(answer))
    assert switch.begins
    try:
        assert switch.begin_delivery(BATCH, lambda _: None) is None
    except Unavailable:
        assert answer is not None

    assert switch.turn(Gate()).under_way == 0
