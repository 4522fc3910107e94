"""The processor kit passes what keeps the contract and names what breaks it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    DeliveryError,
    Processor,
    ProcessorFactory,
    Receipt,
    Settings,
    Signal,
    Stage,
    Unavailable,
)
from bridge.options import Options
from bridge.testing.conformance import (
    PROCESSOR_CHECKS,
    Check,
    ConformanceError,
    ProcessorCase,
)
from bridge.testing.conformance import processors as kit


class PassThrough:
    """The smallest processor that keeps the contract."""

    def __init__(self, config: Options, settings: Settings, signal: Signal, downstream: Stage):
        self.downstream = downstream
        self.tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self, deadline: Deadline) -> None:
        """Nothing to do."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Hand on."""
        return await self.downstream.deliver(batch)


class AnswersEarly(PassThrough):
    """Acknowledges from a queue."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Lose custody."""
        task = asyncio.create_task(super().deliver(batch))
        self.tasks.add(task)
        return ACCEPTED

    async def stop(self, deadline: Deadline) -> None:
        """Collect what is left."""
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Swallows(PassThrough):
    """Hides refusals."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Call it a success."""
        try:
            return await super().deliver(batch)
        except DeliveryError:
            return ACCEPTED


class Mislabels(PassThrough):
    """Turns every refusal into a passing one."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Make poison immortal."""
        try:
            return await super().deliver(batch)
        except DeliveryError as error:
            raise Unavailable("later") from error


class Shares(PassThrough):
    """Serves all callers by one task, which dies with the first of them."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.shared: asyncio.Task[Receipt] | None = None

    async def deliver(self, batch: Batch) -> Receipt:
        """Cancel everybody's when one is cancelled."""
        if self.shared is None or self.shared.done():
            self.shared = asyncio.create_task(super().deliver(batch))
        return await self.shared


class DropsWhenStopped(PassThrough):
    """Acknowledges what comes too late, and loses it."""

    stopped = False

    async def stop(self, deadline: Deadline) -> None:
        """Close."""
        self.stopped = True

    async def deliver(self, batch: Batch) -> Receipt:
        """Drop."""
        return ACCEPTED if self.stopped else await super().deliver(batch)


class StopHangs(PassThrough):
    """Waits for its work without a deadline."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Keep the call in mind."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        return await super().deliver(batch)

    async def stop(self, deadline: Deadline) -> None:
        """Wait for ever."""
        await asyncio.gather(*self.tasks, return_exceptions=True)


class StopsOnce(PassThrough):
    """Needs its start before its stop."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.open = False

    async def start(self) -> None:
        """Open."""
        self.open = True

    async def stop(self, deadline: Deadline) -> None:
        """Fail unless open."""
        assert self.open, "not started"


def _case(kind: Callable[..., Processor], signal: Signal = Signal.TRACES) -> ProcessorCase:
    return ProcessorCase(ProcessorFactory("sample", Options, kind), Options(), signal)


@pytest.mark.slow
@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("check", PROCESSOR_CHECKS, ids=lambda check: check.__name__)
async def test_kit_correct_processor_passes(check: Check, signal: Signal) -> None:
    """A processor that only hands on keeps every sentence."""
    await check(_case(PassThrough, signal))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "check", "sentence"),
    [
        (AnswersEarly, kit.acknowledges_after_downstream, "returns only after downstream took"),
        (Swallows, kit.hands_refusals_on, "Overloaded of downstream is not swallowed"),
        (Swallows, kit.loses_nothing_to_refusals, "acknowledged spans did not come out"),
        (Mislabels, kit.hands_refusals_on, "Malformed of downstream stays in its family"),
        (DropsWhenStopped, kit.refuses_or_delivers_after_stop, "late batch that was acknowledged"),
        (StopHangs, kit.stops_at_its_deadline, "stop keeps its deadline"),
    ],
)
async def test_kit_broken_processor_is_named(
    kind: Callable[..., Processor], check: Check, sentence: str
) -> None:
    """Each fault fails its check with the sentence that it breaks."""
    with pytest.raises(ConformanceError, match=sentence):
        await check(_case(kind))


async def test_kit_shared_task_fails_the_neighbour() -> None:
    """Cancelling one caller that takes another's batch along does not pass."""
    with pytest.raises(asyncio.CancelledError):
        await kit.survives_cancelled_caller(_case(Shares))


async def test_kit_stop_before_start_is_tried() -> None:
    """A stop that needs a start does not pass."""
    with pytest.raises(AssertionError, match="not started"):
        await kit.stops_anytime(_case(StopsOnce))
