"""The receiver kit passes what keeps the contract and names what breaks it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from bridge.core import (
    Batch,
    Deadline,
    DeliveryError,
    Interrupted,
    Receiver,
    Settings,
    Signal,
    Stage,
)
from bridge.testing import Made, otlp_origin
from bridge.testing.conformance import RECEIVER_CHECKS, Check, ConformanceError
from bridge.testing.conformance import receivers as kit


class Calls:
    """A receiver whose clients call a method."""

    def __init__(self, settings: Settings, downstream: Mapping[Signal, Stage]):
        self.settings, self.downstream = settings, downstream
        self.open = False
        self.calls: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Take calls."""
        self.open = True

    async def stop(self, deadline: Deadline) -> None:
        """Finish calls, or end them at the deadline."""
        self.open = False
        if self.calls:
            _, late = await asyncio.wait(self.calls, timeout=deadline.remaining_s)
            for call in late:
                call.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def take(self, made: Made) -> None:
        """Deliver one request."""
        if not self.open:
            raise Interrupted("stopped")
        stage = self.downstream[made.signal]
        batch = Batch(made.signal, made.body, made.items, otlp_origin(self.settings.clock))
        call = asyncio.create_task(self.deliver(stage, batch))
        self.calls.add(call)
        call.add_done_callback(self.calls.discard)
        await call

    async def deliver(self, stage: Stage, batch: Batch) -> None:
        """Await custody."""
        await stage.deliver(batch)


class AnswersEarly(Calls):
    """Says OK before the pipeline did."""

    async def take(self, made: Made) -> None:
        """Leave the call running."""
        call = asyncio.create_task(super().take(made))
        self.calls.add(call)


class Swallows(Calls):
    """Says OK whatever the pipeline said."""

    async def deliver(self, stage: Stage, batch: Batch) -> None:
        """Hide it."""
        try:
            await super().deliver(stage, batch)
        except DeliveryError:
            return


class Repeats(Calls):
    """Delivers everything twice."""

    async def deliver(self, stage: Stage, batch: Batch) -> None:
        """Once more."""
        await super().deliver(stage, batch)
        await super().deliver(stage, batch)


class CutsOff(Calls):
    """Ends its calls as soon as it is told to stop."""

    async def stop(self, deadline: Deadline) -> None:
        """Cancel without waiting."""
        await super().stop(Deadline.after(0.0, self.settings.clock))


class StopHangs(Calls):
    """Waits for its calls without a deadline."""

    async def stop(self, deadline: Deadline) -> None:
        """Wait for ever."""
        await asyncio.gather(*self.calls, return_exceptions=True)


class Case:
    """Calls the receiver's method as a client would its port."""

    signal = Signal.TRACES
    keeps_refused = False

    def __init__(self, kind: type[Calls]):
        self.kind = kind

    def create(self, settings: Settings, downstream: Mapping[Signal, Stage]) -> Receiver:
        """A new one."""
        return self.kind(settings, downstream)

    async def send(self, receiver: Receiver, made: Made) -> bool:
        """Whether the call returned."""
        assert isinstance(receiver, Calls)
        try:
            await receiver.take(made)
        except (DeliveryError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and receiver.open:
                raise
            return False
        return True


@pytest.mark.slow
@pytest.mark.parametrize("check", RECEIVER_CHECKS, ids=lambda check: check.__name__)
async def test_kit_correct_receiver_passes(check: Check) -> None:
    """A receiver that awaits its pipeline keeps every sentence."""
    await check(Case(Calls))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "check", "sentence"),
    [
        (AnswersEarly, kit.acknowledges_after_downstream, "answered only after downstream took"),
        (Swallows, kit.answers_as_downstream_does, "what was acknowledged was taken"),
        (Repeats, kit.answers_as_downstream_does, "nothing is delivered twice"),
        (CutsOff, kit.stops_with_data_in_hand, "data in hand is finished"),
        (StopHangs, kit.stops_at_its_deadline, "stop keeps its deadline"),
    ],
)
async def test_kit_broken_receiver_is_named(kind: type[Calls], check: Check, sentence: str) -> None:
    """Each fault fails its check with the sentence that it breaks."""
    with pytest.raises(ConformanceError, match=sentence):
        await check(Case(kind))
