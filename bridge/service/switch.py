"""A stage in front of another that can be exchanged while data passes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.core import Batch, Beginner, Outcome, Pending, Receipt, Stage


@dataclass(slots=True)
class Passage:
    """One stage that a switch led to, and how many deliveries are within it."""

    stage: Stage
    under_way: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever the last one has left; looked at only once nobody can enter any more."""
    beginner: Beginner | None = None
    """The stage, if it can be delivered to without a task."""

    def __post_init__(self) -> None:
        self.beginner = self.stage if isinstance(self.stage, Beginner) else None

    def leave(self) -> None:
        """One delivery has ended."""
        self.under_way -= 1
        if not self.under_way:
            self.left.set()

    async def wait_empty(self) -> None:
        """Wait until every delivery that went this way has ended. The caller gives the time."""
        while self.under_way:
            self.left.clear()
            await self.left.wait()


class Switch:
    """
    Leads every delivery to the stage of the moment.

    A delivery stays with the stage it began with, so the await remains the acknowledgement.
    """

    def __init__(self, stage: Stage) -> None:
        self._passage = Passage(stage)

    @property
    def stage(self) -> Stage:
        """Where deliveries go that begin now."""
        return self._passage.stage

    async def deliver(self, batch: Batch) -> Receipt:
        """As the stage behind."""
        passage = self._passage
        passage.under_way += 1
        try:
            return await passage.stage.deliver(batch)
        finally:
            passage.leave()

    @property
    def begins(self) -> bool:
        """Whether the stage of the moment can do without a task."""
        beginner = self._passage.beginner
        return beginner is not None and beginner.begins

    def begin_delivery(self, batch: Batch, settle: Callable[[Outcome], None]) -> Pending | None:
        """As the stage behind, if it can; the way is taken until *settle* is called."""
        passage = self._passage
        if passage.beginner is None:
            return None

        def settled(outcome: Outcome) -> None:
            passage.leave()
            settle(outcome)

        passage.under_way += 1
        try:
            pending = passage.beginner.begin_delivery(batch, settled)
        except BaseException:
            passage.leave()
            raise
        if pending is None:
            passage.leave()
        return pending

    def turn(self, stage: Stage) -> Passage:
        """Lead to *stage* from now on; gives the former way, which empties by itself."""
        former, self._passage = self._passage, Passage(stage)
        return former
