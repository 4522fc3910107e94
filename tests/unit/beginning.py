"""Delivering by `begin_delivery` where a stage can, in the shape of `deliver`."""

import asyncio
from collections.abc import Callable

from bridge.core import SETTLED, Batch, Beginner, Outcome, Pending, Receipt
from bridge.testing import FakeStage


async def begin_and_wait(stage: Beginner, batch: Batch) -> Receipt:
    """What `deliver` does, by way of `begin_delivery`; each outcome must come exactly once."""
    outcomes: list[Outcome] = []
    told = asyncio.Event()

    def settle(outcome: Outcome) -> None:
        outcomes.append(outcome)
        told.set()

    pending = stage.begin_delivery(batch, settle)
    if pending is None:
        assert not outcomes
        return await stage.deliver(batch)
    try:
        await told.wait()
    finally:
        pending.cancel()
        pending.cancel()
        assert len(outcomes) == 1
    (outcome,) = outcomes
    if isinstance(outcome, Receipt):
        return outcome
    assert outcome is not None
    raise outcome


class FakeBeginner(FakeStage):
    """A stage that begins, or refuses to."""

    begins = True

    def __init__(self, answer: Pending | Exception | None = SETTLED) -> None:
        super().__init__()
        self.begun: list[tuple[Batch, Callable[[Outcome], None]]] = []
        self._answer = answer

    def begin_delivery(self, batch: Batch, settle: Callable[[Outcome], None]) -> Pending | None:
        """Note the batch and how to settle it."""
        if isinstance(self._answer, Exception):
            raise self._answer
        self.begun.append((batch, settle))
        return self._answer
