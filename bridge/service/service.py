"""The running whole: components in order, exchanged when asked, drained within a deadline."""

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from typing import Any, Protocol

import structlog

from bridge.config import LoadedConfig
from bridge.core import (
    BridgeError,
    Clock,
    ConfigError,
    Deadline,
    Detailed,
    Status,
    SystemClock,
    View,
)
from bridge.service.assembly import Assembler, Assembly
from bridge.service.crew import Crew
from bridge.service.embedded import for_same_broker, start_embedded, wants_embedded
from bridge.service.host import Ask, Graph, ServiceHost, Share
from bridge.service.places import Observe, unobserved
from bridge.service.reload_plan import ReloadPlan, plan_reload
from bridge.service.replacing import Replacement
from bridge.service.status_book import StatusBook
from bridge.service.taps import Taps
from bridge.telemetry import (
    MetricRegistry,
    MetricsServer,
    recent_events,
    show_process,
    snapshot,
)

log = structlog.get_logger()


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


class ReloadFailed(BridgeError):
    """A new config could not be taken, and the old one does not run any more either."""


class Broker(Protocol):
    """The embedded broker, as far as the service knows it."""

    bootstrap: str

    async def stop(self) -> None:
        """Release everything."""
        ...


class Observer(Protocol):
    """Who looks on while data passes, as far as the service knows it."""

    @property
    def observe(self) -> Observe:
        """Gives what stands for a stage in front of which it looks on."""
        ...

    async def stop(self, deadline: Deadline) -> None:
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
            Gives what the status page shows as pipelines instead of those of *config*.
        ask:
            Asks the workers of this process, if it has any.
    """

    def __init__(
        self,
        config: LoadedConfig,
        *,
        clock: Clock | None = None,
        metrics: MetricRegistry | None = None,
        page: Callable[[], Awaitable[MetricRegistry]] | None = None,
        views: Callable[[], Awaitable[Sequence[View]]] | None = None,
        pipelines: Callable[[], Graph] | None = None,
        ask: Ask | None = None,
        share: Share | None = None,
    ) -> None:
        # As it was given, and as it runs: with the address of the embedded broker.
        self._config = self._resolved = config
        self._clock = clock or SystemClock()
        self.metrics = metrics or MetricRegistry(strict=False)
        self._page = page
        self._book = StatusBook(self._clock.wall)
        shown = pipelines or (lambda: pipelines_of(self._config))
        # A parent of workers has no stages of its own.
        taps = Taps(lambda: self._assembly) if views is None else None
        watch = taps.watch if taps is not None else None
        self.host = ServiceHost(self._book, self.view, views, shown, watch, ask, share)
        self._crew = Crew()
        self._assembly = Assembly()
        self._broker: Broker | None = None
        self._metrics_server: MetricsServer | None = None
        self._observer: Observer | None = None
        show_process(self.metrics, self._clock)

    async def start(self) -> None:
        """
        Build and start everything, sinks first.

        When it fails, what was started is stopped again.

        Raises:
            ConfigError: If a component cannot work as configured.
        """
        try:
            if wants_embedded(self._config):
                self._resolved, self._broker = await start_embedded(self._config)
            self._observer = await self._trace(self._config)
            self._assembly = self._assemble(self._resolved, self._observer)
            self._metrics_server = await self._serve_metrics(self._config)
            await self._crew.start(self._assembly.start_order)
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

    async def reload(self, config: LoadedConfig, timeout_s: float) -> ReloadPlan:
        """
        Run *config* from now on; what it does not change goes on as it is.

        What is replaced finishes what it took, within *timeout_s* seconds; what is unfinished then
        was not acknowledged and comes again. Called once at a time.

        Returns:
            What was replaced.

        Raises:
            ConfigError: If *config* cannot be run. The old one runs on, or again.
            ReloadFailed: If the old one could not be brought back. Nothing but `stop` is left.

        Cancellation:
            Leaves parts of both running: only `stop` may follow.
        """
        resolved = for_same_broker(self._config, config, self._broker)
        plan = plan_reload(self._resolved, resolved, self.host.uses)
        restore = self._checkpoint()
        server, observer = self._metrics_server, self._observer
        moves = config.telemetry.metrics_address != self._config.telemetry.metrics_address
        try:
            if config.telemetry.traces != self._config.telemetry.traces:
                observer = await self._trace(config)
            new = self._assemble(resolved, observer, self._assembly, plan.keep)
            if moves:
                server = await self._serve_metrics(config)
        except BaseException:
            restore()
            await self._leave(observer, self._observer, timeout_s)
            raise
        exchange = Replacement(self._crew, self._assembly, new, plan)
        try:
            await exchange.run(Deadline.after(timeout_s, self._clock))
        except BaseException as error:
            if moves and server is not None:
                await server.stop(Deadline.after(timeout_s, self._clock))
            await self._leave(observer, self._observer, timeout_s)
            if isinstance(error, ConfigError):
                await self._undo(exchange, restore, timeout_s)
            raise
        self._forget(plan.stop - plan.start)
        if moves and self._metrics_server is not None:
            await self._metrics_server.stop(Deadline.after(timeout_s, self._clock))
        await self._leave(self._observer, observer, timeout_s)
        self._config, self._resolved, self._assembly = config, resolved, new
        self._metrics_server, self._observer = server, observer
        return plan

    async def stop(self, deadline: Deadline) -> None:
        """
        Drain: readiness off, sources stop and finish what they took, then stages and sinks.

        Safe when `start` never ran or failed, and safe twice. A part that fails or overruns is
        logged and the rest is stopped all the same.
        """
        if self.host.started and not self.host.draining:
            log.info("service_draining", deadline_s=round(deadline.remaining_s, 3))
        self.host.draining = True
        await self._crew.stop(self._crew.running, deadline)
        await self._leave(self._observer, None, deadline.remaining_s)
        self._observer = None
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
        for part in self._crew.running:
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
            for part in self._crew.running
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

    async def _undo(
        self, exchange: Replacement, restore: Callable[[], None], timeout_s: float
    ) -> None:
        """Bring back what ran before *exchange* failed."""
        if not exchange.disturbed:
            await exchange.abandon(Deadline.after(timeout_s, self._clock))
            restore()
            return
        log.warning("config_reload_undone")
        plan = exchange.plan
        await exchange.finish_old(Deadline.after(timeout_s, self._clock))
        try:
            back = self._assemble(self._resolved, self._observer, exchange.new, plan.keep)
            undoing = Replacement(self._crew, exchange.new, back, plan.reverse)
            await undoing.run(Deadline.after(timeout_s, self._clock))
        except ConfigError as error:
            raise ReloadFailed(f"the former config cannot be run again: {error}") from error
        self._forget(plan.start - plan.stop)
        self._assembly = back

    def _checkpoint(self) -> Callable[[], None]:
        """What undoes the traces that building parts leaves."""
        pages, readers = self._book.pages(), self.metrics.readers()
        extensions = self.host.extensions

        def restore() -> None:
            self._book.restore(pages)
            self.metrics.restore(readers)
            self.host.extensions = extensions

        return restore

    def _forget(self, names: Set[str]) -> None:
        for name in names:
            self._book.forget(name)
            self.host.uses.pop(name, None)

    def _assemble(
        self,
        config: LoadedConfig,
        observer: Observer | None,
        before: Assembly | None = None,
        keep: Set[str] = frozenset(),
    ) -> Assembly:
        observe = unobserved if observer is None else observer.observe
        context = (self._book, self.host, self._clock, self.metrics)
        return Assembler(config, *context, before, keep, observe).build()

    async def _trace(self, config: LoadedConfig) -> Observer | None:
        """Follow the work of *config*, if it asks for that."""
        if config.telemetry.traces is None:
            return None
        # Exporters and message classes that nobody else may need.
        from bridge.service.own_traces import OwnTraces

        traces = OwnTraces(config.telemetry, self.metrics, self._clock)
        await traces.start()
        return traces

    async def _leave(
        self, observer: Observer | None, stays: Observer | None, timeout_s: float
    ) -> None:
        """Stop *observer*, unless it is the one that stays."""
        if observer is not None and observer is not stays:
            await observer.stop(Deadline.after(timeout_s, self._clock))

    async def _serve_metrics(self, config: LoadedConfig) -> MetricsServer | None:
        address = config.telemetry.metrics_address
        if address is None:
            return None
        server = MetricsServer(self.metrics, *address, page=self._page)
        await server.start()
        return server
