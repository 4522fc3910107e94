"""A stage in front of another that can be exchanged while data passes."""

import asyncio
from dataclasses import dataclass, field

from bridge.core import Batch, Receipt, Stage


@dataclass(slots=True)
class Passage:
    """One stage that a switch led to, and how many deliveries are within it."""

    stage: Stage
    under_way: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever the last one has left; looked at only once nobody can enter any more."""

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
            passage.under_way -= 1
            if not passage.under_way:
                passage.left.set()

    def turn(self, stage: Stage) -> Passage:
        """Lead to *stage* from now on; gives the former way, which empties by itself."""
        former, self._passage = self._passage, Passage(stage)
        return former
