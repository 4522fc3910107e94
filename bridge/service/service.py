"""The running whole: components in order, drained within a deadline."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from bridge.config import LoadedConfig
from bridge.core import Clock, ConfigError, Deadline, Detailed, Status, SystemClock, View
from bridge.service.assembly import Assembler, Assembly, Part
from bridge.service.embedded import start_embedded, wants_embedded
from bridge.service.host import ServiceHost
from bridge.service.status_book import StatusBook
from bridge.telemetry import (
    MetricRegistry,
    MetricsServer,
    recent_events,
    show_process,
    snapshot,
)

log = structlog.get_logger()

START_TIMEOUT_S = 30.0
"""No component may take longer to start: those that wait for others do it in the background."""


Graph = Mapping[str, Mapping[str, Sequence[str]]]
"""Ids of the components of each pipeline, by kind."""


def pipelines_of(config: LoadedConfig) -> Graph:
    """The pipelines of *config*, in its order."""
    return {
        str(name): {
            "receivers": [str(id_) for id_ in pipeline.receivers],
            "processors": [str(id_) for id_ in pipeline.processors],
            "exporters": [str(id_) for id_ in pipeline.exporters],
        }
        for name, pipeline in config.pipelines.items()
    }


class Stoppable(Protocol):
    """The embedded broker, as far as the service knows it."""

    async def stop(self) -> None:
        """Release everything."""
        ...


class Service:
    """
    All pipelines of one config in this process.

    Args:
        config:
            What `bridge.config.load` returned.
        clock, metrics:
            Replaced in tests.
        page:
            What ``/metrics`` shows instead of this process's own figures.
        views:
            What the workers of this process show, if it has any.
        pipelines:
            What the status page shows as pipelines instead of those of *config*.
    """

    def __init__(
        self,
        config: LoadedConfig,
        *,
        clock: Clock | None = None,
        metrics: MetricRegistry | None = None,
        page: Callable[[], Awaitable[MetricRegistry]] | None = None,
        views: Callable[[], Awaitable[Sequence[View]]] | None = None,
        pipelines: Graph | None = None,
    ) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self.metrics = metrics or MetricRegistry(strict=False)
        self._page = page
        self._book = StatusBook(self._clock.wall)
        shown = pipelines_of(config) if pipelines is None else pipelines
        self.host = ServiceHost(self._book, self.view, views, shown)
        self._assembly: Assembly | None = None
        self._started: list[Part] = []
        self._broker: Stoppable | None = None
        self._metrics_server: MetricsServer | None = None
        show_process(self.metrics, self._clock)

    async def start(self) -> None:
        """
        Build and start everything, sinks first.

        When it fails, what was started is stopped again.

        Raises:
            ConfigError: If a component cannot work as configured.
        """
        try:
            config = await self._with_embedded_broker()
            self._assembly = Assembler(
                config, self._book, self.host, self._clock, self.metrics
            ).build()
            await self._start_metrics()
            for part in self._assembly.start_order:
                await self._start_part(part)
        except BaseException:
            await self.stop(Deadline.after(5.0, self._clock))
            raise
        self.host.started = True
        log.info(
            "service_started",
            pipelines=sorted(map(str, self._config.pipelines)),
            endpoints=self.endpoints(),
            ready=self.host.ready(),
        )

    async def stop(self, deadline: Deadline) -> None:
        """
        Drain: readiness off, sources stop and finish what they took, then stages and sinks.

        Safe when `start` never ran or failed, and safe twice. A part that fails or overruns is
        logged and the rest is stopped all the same.
        """
        if self.host.started and not self.host.draining:
            log.info("service_draining", deadline_s=round(deadline.remaining_s, 3))
        self.host.draining = True
        for parts in self._stop_order():
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(self._stop_part(part, deadline))
            self._started = [part for part in self._started if part not in parts]
        if self._metrics_server is not None:
            await self._metrics_server.stop(deadline)
            self._metrics_server = None
        if self._broker is not None:
            await self._broker.stop()
            self._broker = None

    def reporter(self, name: str) -> Callable[[Status], None]:
        """The function by which something beside the components, such as a worker, reports."""
        return self._book.reporter(name)

    def endpoints(self) -> dict[str, str]:
        """Every bound address by component and protocol, as ``host:port``."""
        found: dict[str, str] = {}
        for part in self._started:
            component: Any = part.component
            if hasattr(component, "endpoints"):
                for protocol, (host, port) in component.endpoints().items():
                    found[f"{part.name}/{protocol}"] = f"{host}:{port}"
            elif hasattr(component, "port"):
                found[part.name] = f"localhost:{component.port}"
        if self._metrics_server is not None:
            found["metrics"] = f"localhost:{self._metrics_server.port}"
        return found

    def view(self) -> View:
        """What this process shows of itself now."""
        details = {
            part.name: part.component.details()
            for part in self._started
            if isinstance(part.component, Detailed)
        }
        return View(None, snapshot(self.metrics), details, recent_events())

    def troubles(self) -> Mapping[str, Sequence[Status]]:
        """Every status that is not OK, by component."""
        return {
            name: [entry.status for entry in entries]
            for name, entries in self._book.troubles().items()
        }

    def not_ready(self) -> Mapping[str, str]:
        """Why the service is not ready: component to reason."""
        return {
            name: "; ".join(entry.status.reason or entry.status.state.value for entry in entries)
            for name, entries in self._book.troubles().items()
        }

    async def _with_embedded_broker(self) -> LoadedConfig:
        if not wants_embedded(self._config):
            return self._config
        config, self._broker = await start_embedded(self._config)
        return config

    async def _start_metrics(self) -> None:
        address = self._config.telemetry.metrics_address
        if address is not None:
            self._metrics_server = MetricsServer(self.metrics, *address, page=self._page)
            await self._metrics_server.start()

    async def _start_part(self, part: Part) -> None:
        self._started.append(part)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await part.component.start()
        except TimeoutError as error:
            raise ConfigError(f"{part.name} did not start within {START_TIMEOUT_S:g} s") from error

    async def _stop_part(self, part: Part, deadline: Deadline) -> None:
        try:
            # The component keeps the deadline itself; the margin is for one that does not.
            async with asyncio.timeout(deadline.remaining_s + 1.0):
                await part.component.stop(deadline)
        except TimeoutError:
            log.error("component_stop_overran", component=part.name)  # noqa: TRY400 - no fault in it
        except Exception:
            log.exception("component_stop_failed", component=part.name)

    def _stop_order(self) -> Sequence[Sequence[Part]]:
        if self._assembly is None:
            return ()
        started = self._started
        groups: list[Sequence[Part]] = [
            [part for part in self._assembly.receivers if part in started],
            # The first processor of a pipeline was built last; what it holds flows to the next.
            *([part] for part in reversed(self._assembly.processors) if part in started),
            [part for part in self._assembly.exporters if part in started],
            [part for part in self._assembly.extensions if part in started],
        ]
        return [group for group in groups if group]
