"""
Exchanging running parts for others, so that nothing which was taken is lost.

The order is that of the data. New sinks and stages run before anything reaches them; what arrives
is then led through them at once, while the old ones finish what they hold. Only a receiver that
changes itself is away for a moment: the old one has to let go of its partitions first, or leaves
its ports to the new one, where those who connect meanwhile wait.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from bridge.core import Deadline, PortHolder
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
        self._hand_over_ports()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_wait_empty(former, deadline))
                group.create_task(self.crew.stop(self._stale(self.old.receivers), deadline))
            await self.crew.stop(self._stale(self.old.processors), deadline)
            await self.crew.start(self._fresh(self.new.receivers))
        finally:
            # One that did not come to start must not keep a port from whoever is next.
            for _, successor in self._port_holders():
                successor.borrow_ports({})
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

    def _hand_over_ports(self) -> None:
        """Let receivers that are replaced leave their ports to their successors."""
        running: dict[str, object] = {part.name: part.component for part in self.crew.running}
        for name, successor in self._port_holders():
            former = running.get(name)
            if isinstance(former, PortHolder):
                successor.borrow_ports(former.lend_ports())

    def _port_holders(self) -> Iterator[tuple[str, PortHolder]]:
        for part in self._fresh(self.new.receivers):
            component: object = part.component
            if isinstance(component, PortHolder):
                yield part.name, component

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
