"""
The contract of processors.

    CASE = ProcessorCase(FACTORY, MyConfig(...))

    @pytest.mark.parametrize("check", PROCESSOR_CHECKS, ids=lambda check: check.__name__)
    async def test_my_processor_keeps_the_contract(check):
        await check(CASE)
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.core import (
    DeliveryError,
    Denied,
    Malformed,
    Overloaded,
    Processor,
    ProcessorFactory,
    Receipt,
    Refused,
    Retryable,
    Signal,
    Stage,
    Unavailable,
)
from bridge.testing.builders import Made, sample, span_ids
from bridge.testing.conformance.common import (
    ANSWER_S,
    OVERRUN_S,
    QUIET_S,
    START_S,
    Check,
    batch_of,
    check_stop_anytime,
    end,
    family,
    require,
    running,
    soon,
    within,
)
from bridge.testing.settings import make_settings
from bridge.testing.stages import FakeStage

BATCHES = 40
CALLERS = 8
REFUSED_SHARE = 0.3
ATTEMPTS_MAX = 50
PATIENCE_OF_SENDER_S = 5.0
"""Long enough that no refusal comes from a deadline."""


@dataclass(frozen=True, slots=True)
class ProcessorCase:
    """
    A processor to check.

    Args:
        keeps:
            Whether every item that goes in comes out; false for filters and samplers.
        samples:
            Requests to send, at least one; plain ones of *signal* by default.
    """

    factory: ProcessorFactory[Any]
    config: Any
    signal: Signal = Signal.TRACES
    keeps: bool = True
    samples: Sequence[Made] = ()

    def create(self, downstream: Stage) -> Processor:
        """A new instance in front of *downstream*."""
        settings = make_settings(self.factory.type_name, pipeline=self.signal.value)
        return self.factory.create(self.config, settings, self.signal, downstream)

    def made(self, index: int = 0) -> Made:
        """The request number *index*; different ones have different ids."""
        if self.samples:
            return self.samples[index % len(self.samples)]
        return sample(self.signal, 3, seed=index)


async def acknowledges_after_downstream(case: ProcessorCase) -> None:
    """`deliver` returns after the stage behind it did, not before."""
    stage = FakeStage()
    stage.hold()
    processor = case.create(stage)
    async with running(processor):
        task = asyncio.create_task(processor.deliver(batch_of(case.made())))
        offered = asyncio.create_task(stage.wait_offered())
        await asyncio.wait((task, offered), timeout=5.0, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(QUIET_S)
        # What was dropped by a rule is answered without anybody downstream, which is right.
        early = task.done() and (case.keeps or bool(stage.in_flight))
        stage.release()
        await end(offered)
        receipt = await within(task, "deliver returns once downstream took the batch")
        require(not early, "deliver returns only after downstream took the batch")
        require(isinstance(receipt, Receipt), "deliver returns a Receipt")
        if case.keeps:
            require(bool(stage.taken), "what was acknowledged was delivered downstream")


async def hands_refusals_on(case: ProcessorCase) -> None:
    """An error from downstream reaches the caller in its family, and nothing counts as taken."""
    errors = (
        Overloaded("full"),
        Unavailable("away"),
        Malformed("bad"),
        Refused("no"),
        Denied("no"),
    )
    for error in errors:
        stage = FakeStage(otherwise=error)
        processor = case.create(stage)
        async with running(processor):
            try:
                await within(
                    processor.deliver(batch_of(case.made())),
                    f"deliver answers within the sender's patience after {type(error).__name__}",
                    ANSWER_S + OVERRUN_S,
                )
            except DeliveryError as raised:
                require(
                    family(raised) is family(error),
                    f"{type(error).__name__} of downstream stays in its family: "
                    f"came out as {type(raised).__name__}: {raised}",
                )
            else:
                require(not stage.offered, f"{type(error).__name__} of downstream is not swallowed")


async def loses_nothing_to_refusals(case: ProcessorCase) -> None:
    """Under random refusals, each batch that was acknowledged in the end was taken downstream."""
    dice = random.Random(7)

    def now_and_then() -> BaseException:
        return Overloaded("now and then", retry_after_s=0.0)

    stage = FakeStage(
        *(now_and_then if dice.random() < REFUSED_SHARE else Receipt() for _ in range(BATCHES))
    )
    processor = case.create(stage)
    made = [case.made(index) for index in range(BATCHES)]
    waiting = list(made)

    async def send() -> None:
        while waiting:
            batch = batch_of(waiting.pop(), answer_s=PATIENCE_OF_SENDER_S)
            for _ in range(ATTEMPTS_MAX):
                try:
                    await processor.deliver(batch)
                    break
                except Retryable:
                    await asyncio.sleep(0)
            else:
                require(False, f"a batch passes within {ATTEMPTS_MAX} attempts")

    async with running(processor):
        callers = asyncio.gather(*(send() for _ in range(CALLERS)))
        await within(callers, "concurrent deliveries end")
    if not case.keeps:
        return
    if case.signal is Signal.TRACES:
        sent = {key for request in made for key in request.span_ids}
        taken = {key for batch in stage.taken for key in span_ids(batch.body)}
        require(sent <= taken, f"{len(sent - taken)} acknowledged spans did not come out")
    items = sum(request.items for request in made)
    require(stage.items >= items, f"{items - stage.items} acknowledged items did not come out")


async def survives_cancelled_caller(case: ProcessorCase) -> None:
    """A caller that goes away takes nobody else's batch with it."""
    stage = FakeStage()
    stage.hold()
    processor = case.create(stage)
    async with running(processor):
        first = asyncio.create_task(processor.deliver(batch_of(case.made(0), 5.0)))
        second = asyncio.create_task(processor.deliver(batch_of(case.made(1), 5.0)))
        await asyncio.sleep(QUIET_S)
        first.cancel()
        await asyncio.sleep(0)
        stage.release()
        await within(second, "a neighbour's cancellation does not stop a delivery")
        await within(processor.deliver(batch_of(case.made(2), 5.0)), "deliver works after a cancel")
        await end(first)


async def stops_with_data_in_hand(case: ProcessorCase) -> None:
    """Stop finishes what was taken, or says that it was not: nothing in between."""
    stage = FakeStage()
    stage.hold()
    processor = case.create(stage)
    await within(processor.start(), "start returns quickly", START_S)
    task = asyncio.create_task(processor.deliver(batch_of(case.made(), 5.0)))
    await asyncio.sleep(QUIET_S)
    stopping = asyncio.create_task(processor.stop(soon(5.0)))
    await asyncio.sleep(QUIET_S)
    stage.release()
    await within(stopping, "stop returns once downstream took what was in hand")
    try:
        await within(task, "deliver ends when the processor stops")
    except Retryable:
        return
    if case.keeps:
        require(bool(stage.taken), "what was acknowledged during stop was delivered")


async def stops_at_its_deadline(case: ProcessorCase) -> None:
    """With a downstream that never answers, stop gives up at the deadline."""
    stage = FakeStage()
    stage.hold()
    processor = case.create(stage)
    await within(processor.start(), "start returns quickly", START_S)
    task = asyncio.create_task(processor.deliver(batch_of(case.made(), 30.0)))
    await asyncio.sleep(QUIET_S)
    await within(processor.stop(soon(0.2)), "stop keeps its deadline", 0.2 + OVERRUN_S)
    stage.release()
    await end(task)


async def refuses_or_delivers_after_stop(case: ProcessorCase) -> None:
    """A batch that comes too late is delivered or refused as retryable, never dropped."""
    stage = FakeStage()
    processor = case.create(stage)
    await within(processor.start(), "start returns quickly", START_S)
    await within(processor.stop(soon()), "stop returns when there is nothing to finish")
    try:
        await within(processor.deliver(batch_of(case.made())), "a late deliver is answered")
    except Retryable:
        return
    if case.keeps:
        require(bool(stage.taken), "a late batch that was acknowledged was delivered")


async def stops_anytime(case: ProcessorCase) -> None:
    """Stop is safe before start and safe twice."""
    await check_stop_anytime(lambda: case.create(FakeStage()))


PROCESSOR_CHECKS: tuple[Check, ...] = (
    acknowledges_after_downstream,
    hands_refusals_on,
    loses_nothing_to_refusals,
    survives_cancelled_caller,
    stops_with_data_in_hand,
    stops_at_its_deadline,
    refuses_or_delivers_after_stop,
    stops_anytime,
)
"""Every sentence of the contract, each to be run on a case."""
