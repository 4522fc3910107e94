"""The parent process of ``--workers N``: what exists once, and the workers beside it."""

import asyncio
from pathlib import Path

import structlog

from bridge.config import LoadedConfig
from bridge.core import ConfigError, Deadline, SystemClock
from bridge.service import worker_plan
from bridge.service.connection_sharing import make_exchange
from bridge.service.embedded import for_same_broker, start_embedded, wants_embedded
from bridge.service.reload_plan import ReloadPlan, plan_reload
from bridge.service.reloader import Load, Reloader
from bridge.service.runner import (
    EXIT_CONFIG,
    on_signals,
    reload_until,
    write_ready,
)
from bridge.service.service import Broker, Service, pipelines_of
from bridge.service.shared_ports import SharedPorts
from bridge.service.systemd import READY, STOPPING, Systemd
from bridge.service.worker_link import WorkerPlan
from bridge.service.workers import Workers
from bridge.telemetry import configure_logging

log = structlog.get_logger()


async def serve_workers(
    config: LoadedConfig,
    number: int,
    ready_file: Path | None,
    shutdown_timeout_s: float,
    load: Load | None,
) -> int:
    """
    Run *config* in *number* processes until SIGTERM or SIGINT; else as `bridge.service.run`.

    The ready file is written once all of them have started, with the parent's process id.
    """
    stop = asyncio.Event()
    ports = SharedPorts()
    broker: Broker | None = None
    try:
        shared = _shared(config, number, ports)
        if wants_embedded(shared):
            shared, broker = await start_embedded(shared)
        parent = _Parent(config, shared, number, ports, broker, ready_file, shutdown_timeout_s)
        return await parent.run(stop, load)
    except ConfigError as error:
        log.error("service_not_started", reason=str(error))  # noqa: TRY400 - the text says it
        return EXIT_CONFIG
    finally:
        ports.close()
        if broker is not None:
            await broker.stop()


def _shared(config: LoadedConfig, number: int, ports: SharedPorts) -> LoadedConfig:
    """
    *config* with the ports that all workers listen at.

    Raises:
        ConfigError: If several workers cannot run it, or a port cannot be had.
    """
    worker_plan.check_sharable(config)
    for processor in worker_plan.rate_limited(config):
        log.warning("rate_limits_count_per_worker", processor=processor, workers=number)
    return worker_plan.with_ports(config, ports.reserve)


class _Parent:
    """The parent with its workers, from the first start to the end of all."""

    def __init__(
        self,
        config: LoadedConfig,
        shared: LoadedConfig,
        number: int,
        ports: SharedPorts,
        broker: Broker | None,
        ready_file: Path | None,
        shutdown_timeout_s: float,
    ) -> None:
        self._config = config
        self._shared = shared
        self._number = number
        self._ports = ports
        self._broker = broker
        self._ready_file = ready_file
        self._timeout_s = shutdown_timeout_s
        self._generation = 0
        self._systemd = Systemd()
        self._service = Service(
            worker_plan.parent_config(shared),
            page=lambda: self._workers.page(),
            views=lambda: self._workers.views(),
            pipelines=lambda: pipelines_of(self._config),
            ask=lambda question: self._workers.ask(question),
        )
        self._exchange = make_exchange(number)
        self._workers = Workers(
            *(self._plans(shared), self._service.reporter, self._service.metrics),
            ended=self._end,
        )

    async def run(self, stop: asyncio.Event, load: Load | None) -> int:
        """Run until *stop* is set; the exit code."""
        service, workers = self._service, self._workers
        on_signals(stop, workers.interrupt)
        reloader = (
            None if load is None else Reloader(load, self._reload, service.metrics, self._systemd)
        )
        try:
            await service.start()
            self._ports.settle()
            async with self._systemd.watched(service.host.live), asyncio.TaskGroup() as group:
                running = group.create_task(self._keep(stop))
                ready = group.create_task(self._announce())
                code = await reload_until(stop, reloader)
                self._systemd.tell(STOPPING)
                ready.cancel()
                service.host.draining = True
                await workers.stop()
                await running
        except* ConfigError as errors:
            raise ConfigError(str(errors.exceptions[0])) from errors
        finally:
            await service.stop(Deadline.after(self._timeout_s, SystemClock()))
            if self._exchange is not None:
                self._exchange.close()
        log.info("service_stopped")
        return code

    def _end(self, worker: int) -> None:
        if self._exchange is not None:
            self._exchange.ended(worker)

    async def _keep(self, stop: asyncio.Event) -> None:
        try:
            await self._workers.run()
        finally:
            stop.set()

    async def _announce(self) -> None:
        await self._workers.all_started.wait()
        log.info("workers_started", endpoints=self._write_ready())
        self._systemd.tell(READY)

    def _write_ready(self) -> dict[str, str]:
        endpoints = self._workers.endpoints() | self._service.endpoints()
        if self._ready_file is not None:
            write_ready(self._ready_file, endpoints)
        return endpoints

    def _plans(self, shared: LoadedConfig) -> list[WorkerPlan]:
        return [
            WorkerPlan(
                at,
                worker_plan.worker_config(shared, at, self._number),
                self._timeout_s,
                self._generation,
                None if self._exchange is None else self._exchange.plan(at),
            )
            for at in range(self._number)
        ]

    async def _reload(self, config: LoadedConfig) -> ReloadPlan:
        """Have the workers run *config*, and this process what it runs for all of them."""
        # Before all have started there is nobody to reload; a start is soon over, either way.
        await self._workers.all_started.wait()
        self._generation += 2
        try:
            shared = for_same_broker(
                self._config, _shared(config, self._number, self._ports), self._broker
            )
            plans = self._plans(shared)
            plan = plan_reload(self._shared, shared, self._service.host.uses)
            await self._service.reload(worker_plan.parent_config(shared), self._timeout_s)
            try:
                await self._workers.reload(plans)
            except ConfigError:
                former = worker_plan.parent_config(self._shared)
                await self._service.reload(former, self._timeout_s)
                raise
        except ConfigError:
            self._ports.undo()
            raise
        self._ports.settle()
        self._config, self._shared = config, shared
        configure_logging(config.telemetry.logs)
        self._write_ready()
        return plan
