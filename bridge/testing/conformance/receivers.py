"""
The contract of receivers.

A case knows how to send to the receiver as its clients do; the kit plays the stage behind it.

    @pytest.mark.parametrize("check", RECEIVER_CHECKS, ids=lambda check: check.__name__)
    async def test_my_receiver_keeps_the_contract(check):
        await check(MyCase())
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Protocol

from bridge.core import Overloaded, Receipt, Receiver, Refused, Settings, Signal, Stage
from bridge.testing.builders import Made, sample, span_ids
from bridge.testing.conformance.common import (
    OVERRUN_S,
    QUIET_S,
    START_S,
    Check,
    check_stop_anytime,
    end,
    require,
    running,
    soon,
    within,
)
from bridge.testing.ledger import Ledger
from bridge.testing.settings import make_settings
from bridge.testing.stages import FakeStage, Outcome

SENDS = 40
SENDERS = 4


class ReceiverCase(Protocol):
    """
    A receiver to check.

    `keeps_refused` says whether the source itself offers again what was refused, as Kafka does;
    otherwise its sender is told and has to.
    """

    signal: Signal
    keeps_refused: bool

    def create(self, settings: Settings, downstream: Mapping[Signal, Stage]) -> Receiver:
        """A new receiver, not started, listening where `send` finds it."""
        ...

    async def send(self, receiver: Receiver, made: Made) -> bool:
        """
        Send one request to the started receiver as a client would.

        Returns:
            Whether it was acknowledged. False for every kind of refusal and for a lost connection.
        """
        ...


async def acknowledges_after_downstream(case: ReceiverCase) -> None:
    """The sender hears OK after the pipeline took the data, not before."""
    stage = FakeStage()
    stage.hold()
    receiver = _create(case, stage)
    async with running(receiver):
        task = asyncio.create_task(case.send(receiver, sample(case.signal)))
        await within(stage.wait_offered(), "what is sent is delivered downstream")
        await asyncio.sleep(QUIET_S)
        early = task.done()
        stage.release()
        acknowledged = await within(task, "the sender is answered once downstream took the data")
        require(not early, "the sender is answered only after downstream took the data")
        require(acknowledged, "the sender hears OK when downstream took the data")


async def answers_as_downstream_does(case: ReceiverCase) -> None:
    """Under random refusals, what was acknowledged was taken, and once."""
    dice = random.Random(11)
    outcomes: tuple[Outcome, ...] = (
        Receipt(),
        lambda: Overloaded("full", retry_after_s=0.0),
        lambda: Refused("not wanted"),
    )
    weights = (6, 3, 0 if case.keeps_refused else 1)
    stage = FakeStage(*dice.choices(outcomes, weights, k=SENDS))
    receiver = _create(case, stage)
    ledger = Ledger()
    waiting = [sample(case.signal, seed=index) for index in range(SENDS)]

    async def send() -> None:
        while waiting:
            made = waiting.pop()
            ledger.sent(made.span_ids)
            if await case.send(receiver, made):
                ledger.acknowledged(made.span_ids)

    async with running(receiver):
        senders = asyncio.gather(*(send() for _ in range(SENDERS)))
        await within(senders, "every sender is answered")
    if case.signal is Signal.TRACES:
        for batch in stage.taken:
            ledger.delivered(span_ids(batch.body))
        balance = ledger.balance()
        require(balance.lossless, f"what was acknowledged was taken: {balance}")
        require(balance.duplicates == 0, f"nothing is delivered twice: {balance}")
        if not case.keeps_refused:
            taken = balance.delivered == balance.acknowledged
            require(taken, f"what was taken was acknowledged: {balance}")
    require(len(stage.taken) > 0, "some of what was sent was taken")


async def survives_a_sender_that_leaves(case: ReceiverCase) -> None:
    """A sender that gives up while it waits leaves the receiver working."""
    stage = FakeStage()
    stage.hold()
    receiver = _create(case, stage)
    async with running(receiver):
        gone = asyncio.create_task(case.send(receiver, sample(case.signal, seed=1)))
        await within(stage.wait_offered(), "what is sent is delivered downstream")
        await end(gone)
        stage.release()
        sending = case.send(receiver, sample(case.signal, seed=2))
        require(await within(sending, "the next sender is answered"), "the next sender hears OK")


async def stops_with_data_in_hand(case: ReceiverCase) -> None:
    """Stop lets what was taken finish, answers its sender, and takes nothing more."""
    stage = FakeStage()
    stage.hold()
    receiver = _create(case, stage)
    await within(receiver.start(), "start returns quickly", START_S)
    made = sample(case.signal)
    task = asyncio.create_task(case.send(receiver, made))
    await within(stage.wait_offered(), "what is sent is delivered downstream")
    stopping = asyncio.create_task(receiver.stop(soon(5.0)))
    await asyncio.sleep(QUIET_S)
    stage.release()
    acknowledged = await within(task, "the sender of data in hand is answered during stop")
    await within(stopping, "stop returns once data in hand is finished")
    require(not acknowledged or bool(stage.taken), "what was acknowledged during stop was taken")
    require(acknowledged, "data in hand is finished and acknowledged during stop")
    offered = len(stage.offered)
    await asyncio.sleep(QUIET_S)
    require(len(stage.offered) == offered, "nothing is delivered after stop returned")


async def stops_at_its_deadline(case: ReceiverCase) -> None:
    """With a pipeline that never answers, stop gives up in time and acknowledges nothing."""
    stage = FakeStage()
    stage.hold()
    receiver = _create(case, stage)
    await within(receiver.start(), "start returns quickly", START_S)
    task = asyncio.create_task(case.send(receiver, sample(case.signal)))
    await within(stage.wait_offered(), "what is sent is delivered downstream")
    await within(receiver.stop(soon(0.3)), "stop keeps its deadline", 0.3 + OVERRUN_S)
    await asyncio.sleep(QUIET_S)
    if task.done() and not task.cancelled() and task.exception() is None:
        require(not task.result(), "what was given up is not acknowledged")
    require(stage.in_flight == 0, "no delivery goes on after stop returned")
    await end(task)


async def stops_anytime(case: ReceiverCase) -> None:
    """Stop is safe before start and safe twice."""
    await check_stop_anytime(lambda: _create(case, FakeStage()))


def _create(case: ReceiverCase, stage: Stage) -> Receiver:
    return case.create(make_settings("checked"), {case.signal: stage})


RECEIVER_CHECKS: tuple[Check, ...] = (
    acknowledges_after_downstream,
    answers_as_downstream_does,
    survives_a_sender_that_leaves,
    stops_with_data_in_hand,
    stops_at_its_deadline,
    stops_anytime,
)
"""Every sentence of the contract, each to be run on a case."""
