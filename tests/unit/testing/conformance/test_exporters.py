"""The exporter kit passes what keeps the contract and names what breaks it."""

import asyncio
from typing import Any

import pytest

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    DeliveryError,
    Exporter,
    Interrupted,
    Receipt,
    Refused,
    Settings,
    Signal,
    Unavailable,
)
from bridge.testing.conformance import EXPORTER_CHECKS, Check, ConformanceError, Refusal
from bridge.testing.conformance import exporters as kit


class Case:
    """A backend that is an object, reached by a method call."""

    signal = Signal.LOGS

    def __init__(self, kind: "type[Writes]"):
        self.kind = kind
        self.items = 0
        self.is_open = False
        self.refusal: Refusal | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    def create(self, settings: Settings) -> Exporter:
        """A new one."""
        return self.kind(self)

    async def open(self) -> None:
        """Be there."""
        self.is_open = True

    async def close(self) -> None:
        """Be away."""
        self.is_open = False

    def refuse(self, how: Refusal | None) -> None:
        """Refuse."""
        self.refusal = how

    def hold(self) -> None:
        """Do not answer."""
        self.gate.clear()

    def release(self) -> None:
        """Answer."""
        self.gate.set()

    async def received_items(self) -> int:
        """What was taken."""
        return self.items

    async def write(self, batch: Batch) -> None:
        """Take a batch."""
        if not self.is_open or self.refusal == "retryable":
            raise Unavailable("away")
        await self.gate.wait()
        if self.refusal == "permanent":
            raise Refused("no")
        self.items += batch.items


class Writes:
    """The smallest exporter that keeps the contract."""

    def __init__(self, backend: Case):
        self.backend = backend
        self.calls: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self, deadline: Deadline) -> None:
        """Wait for calls until the deadline."""
        if self.calls:
            _, late = await asyncio.wait(self.calls, timeout=deadline.remaining_s)
            for call in late:
                call.cancel()

    async def deliver(self, batch: Batch) -> Receipt:
        """Await the backend."""
        call = asyncio.create_task(self.backend.write(batch))
        self.calls.add(call)
        call.add_done_callback(self.calls.discard)
        try:
            await asyncio.shield(call)
        except asyncio.CancelledError:
            if call.cancelled():
                raise Interrupted("stopped") from None
            raise
        return ACCEPTED


class AnswersEarly(Writes):
    """Does not wait for the backend."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Leave it to a task."""
        self.calls.add(asyncio.create_task(super().deliver(batch)))
        return ACCEPTED


class CallsEverythingPermanent(Writes):
    """Has one kind of error."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Give up at once."""
        try:
            return await super().deliver(batch)
        except DeliveryError as error:
            raise Refused("failed") from error


class NeedsBackendAtStart(Writes):
    """Connects before it returns from start."""

    async def start(self) -> None:
        """Wait until the backend is there."""
        while not self.backend.is_open:  # noqa: ASYNC110 - the fault itself
            await asyncio.sleep(0.01)


class RetriesForEver(Writes):
    """Knows no deadline."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Try until it works."""
        while True:
            try:
                return await super().deliver(batch)
            except Unavailable:
                await asyncio.sleep(0.01)


class Doubles(Writes):
    """Sends everything twice."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Once more."""
        await super().deliver(batch)
        return await super().deliver(batch)


@pytest.mark.slow
@pytest.mark.parametrize("check", EXPORTER_CHECKS, ids=lambda check: check.__name__)
async def test_kit_correct_exporter_passes(check: Check) -> None:
    """An exporter that awaits its backend keeps every sentence."""
    await check(Case(Writes))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "check", "sentence"),
    [
        (AnswersEarly, kit.acknowledges_after_backend, "returns only after the backend took"),
        (Doubles, kit.delivers_concurrently, "the backend has 96 items, not 192"),
        (CallsEverythingPermanent, kit.reports_a_backend_that_cannot_now, "raised as retryable"),
        (RetriesForEver, kit.reports_a_backend_that_cannot_now, "when the sender's patience ends"),
        (NeedsBackendAtStart, kit.starts_without_backend, "start returns quickly"),
    ],
)
async def test_kit_broken_exporter_is_named(
    kind: type[Writes], check: Check, sentence: str
) -> None:
    """Each fault fails its check with the sentence that it breaks."""
    with pytest.raises(ConformanceError, match=sentence):
        await check(Case(kind))
