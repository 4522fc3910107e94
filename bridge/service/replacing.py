"""
Exchanging running parts for others, so that nothing which was taken is lost.

The order is that of the data. New sinks and stages run before anything reaches them; what arrives
is then led through them at once, while the old ones finish what they hold. Only a receiver that
changes itself is away for a moment: the old one has to let go of port or partitions first.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bridge.core import Deadline
from bridge.service.assembly import Assembly, Part
from bridge.service.crew import Crew
from bridge.service.reload_plan import ReloadPlan
from bridge.service.switch import Passage

log = structlog.get_logger()


@dataclass(slots=True)
class Replacement:
    """
    One exchange under way.

    `disturbed` tells whether something of the old has been stopped or bypassed: until then a
    failure leaves everything as it was once the new parts are stopped.
    """

    crew: Crew
    old: Assembly
    new: Assembly
    plan: ReloadPlan
    disturbed: bool = False

    async def run(self, deadline: Deadline) -> None:
        """
        Exchange the parts.

        Raises:
            ConfigError: If a new part cannot start. The exchange stops where it is.
        """
        await self._exchange_extensions(deadline)
        await self.crew.start(self._fresh(self.new.exporters))
        await self.crew.start(self._fresh(self.new.processors))
        self.disturbed = True
        former = self.new.turn_switches()
        async with asyncio.TaskGroup() as group:
            group.create_task(_wait_empty(former, deadline))
            group.create_task(self.crew.stop(self._stale(self.old.receivers), deadline))
        await self.crew.stop(self._stale(self.old.processors), deadline)
        await self.crew.start(self._fresh(self.new.receivers))
        await self.crew.stop(self._stale(self.old.exporters), deadline)

    async def abandon(self, deadline: Deadline) -> None:
        """Stop the new parts that were started before anything was disturbed."""
        await self.crew.stop(self._fresh(self.new.start_order), deadline)

    async def finish_old(self, deadline: Deadline) -> None:
        """Stop what an exchange that failed has left running of the parts that were to end."""
        await self.crew.stop(self._stale(self.old.start_order), deadline)

    async def _exchange_extensions(self, deadline: Deadline) -> None:
        stale = self._stale(self.old.extensions)
        if stale:
            self.disturbed = True
            await self.crew.stop(stale, deadline)
        await self.crew.start(self._fresh(self.new.extensions))

    def _stale(self, parts: Sequence[Part]) -> list[Part]:
        return [part for part in parts if part.name in self.plan.stop]

    def _fresh(self, parts: Sequence[Part]) -> list[Part]:
        return [part for part in parts if part.name in self.plan.start]


async def _wait_empty(former: Sequence[Passage], deadline: Deadline) -> None:
    """Wait for deliveries within the old stages; those that take longer are cut off by the stop."""
    try:
        async with asyncio.timeout(deadline.remaining_s):
            for passage in former:
                await passage.wait_empty()
    except TimeoutError:
        left = sum(passage.under_way for passage in former)
        log.warning("config_reload_cut_off", deliveries=left)
