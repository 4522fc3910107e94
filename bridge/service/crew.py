"""The parts that run: started one by one, stopped together within a deadline."""

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from bridge.core import ConfigError, Deadline
from bridge.service.assembly import Part

log = structlog.get_logger()

START_TIMEOUT_S = 30.0
"""No component may take longer to start: those that wait for others do it in the background."""


class Crew:
    """All parts that were started and not stopped yet, in the order of their start."""

    def __init__(self) -> None:
        self._running: list[Part] = []

    @property
    def running(self) -> tuple[Part, ...]:
        """In the order of their start."""
        return tuple(self._running)

    async def start(self, parts: Iterable[Part]) -> None:
        """
        Start parts one after the other.

        Raises:
            ConfigError: If one cannot work as configured, or takes too long. It counts as
                running, since it may hold something: stop it.
        """
        for part in parts:
            self._running.append(part)
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await part.component.start()
            except TimeoutError as error:
                raise ConfigError(
                    f"{part.name} did not start within {START_TIMEOUT_S:g} s"
                ) from error

    async def stop(self, parts: Iterable[Part], deadline: Deadline) -> None:
        """
        Stop those of *parts* that run: sources, then stages from the front, then sinks.

        A part that fails or overruns is logged and the rest is stopped all the same.
        """
        wanted = {id(part) for part in parts}
        for group in _stop_order([part for part in self._running if id(part) in wanted]):
            async with asyncio.TaskGroup() as stopping:
                for part in group:
                    stopping.create_task(_stop_part(part, deadline))
            self._running = [part for part in self._running if part not in group]


async def _stop_part(part: Part, deadline: Deadline) -> None:
    try:
        # The component keeps the deadline itself; the margin is for one that does not.
        async with asyncio.timeout(deadline.remaining_s + 1.0):
            await part.component.stop(deadline)
    except TimeoutError:
        log.error("component_stop_overran", component=part.name)  # noqa: TRY400 - no fault in it
    except Exception:
        log.exception("component_stop_failed", component=part.name)
    part.metrics.release()


def _stop_order(parts: Sequence[Part]) -> list[Sequence[Part]]:
    def of_kind(kind: str) -> list[Part]:
        return [part for part in parts if part.name.startswith(f"{kind}/")]

    groups: list[Sequence[Part]] = [
        of_kind("receivers"),
        # The first processor of a pipeline was started last; what it holds flows to the next.
        *([part] for part in reversed(of_kind("processors"))),
        of_kind("exporters"),
        of_kind("extensions"),
    ]
    return [group for group in groups if group]
