"""The parent process of ``--workers N``: what exists once, and the workers beside it."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import structlog

from bridge.config import LoadedConfig
from bridge.core import ConfigError, Deadline, SystemClock
from bridge.options import parse_endpoint
from bridge.service import worker_plan
from bridge.service.embedded import start_embedded, wants_embedded
from bridge.service.runner import (
    EXIT_CONFIG,
    EXIT_OK,
    on_signals,
    write_ready,
)
from bridge.service.service import Service, Stoppable, pipelines_of
from bridge.service.systemd import READY, STOPPING, Systemd
from bridge.service.worker_link import WorkerPlan
from bridge.service.workers import Workers

log = structlog.get_logger()


async def serve_workers(
    config: LoadedConfig, number: int, ready_file: Path | None, shutdown_timeout_s: float
) -> int:
    """
    Run *config* in *number* processes until SIGTERM or SIGINT; else as `bridge.service.run`.

    The ready file is written once all of them have started, with the parent's process id.
    """
    try:
        return await _serve(config, number, ready_file, shutdown_timeout_s)
    except ConfigError as error:
        log.error("service_not_started", reason=str(error))  # noqa: TRY400 - the text says it
        return EXIT_CONFIG


async def _serve(
    config: LoadedConfig, number: int, ready_file: Path | None, shutdown_timeout_s: float
) -> int:
    worker_plan.check_sharable(config)
    for processor in worker_plan.rate_limited(config):
        log.warning("rate_limits_count_per_worker", processor=processor, workers=number)
    stop = asyncio.Event()
    broker: Stoppable | None = None
    with ExitStack() as ports:
        shared = worker_plan.with_ports(config, _reserving(ports))
        if wants_embedded(shared):
            shared, broker = await start_embedded(shared)
        try:
            plans = [
                WorkerPlan(at, worker_plan.worker_config(shared, at, number), shutdown_timeout_s)
                for at in range(number)
            ]
            return await _run(config, plans, stop, ready_file, shutdown_timeout_s)
        finally:
            if broker is not None:
                await broker.stop()


async def _run(
    config: LoadedConfig,
    plans: list[WorkerPlan],
    stop: asyncio.Event,
    ready_file: Path | None,
    shutdown_timeout_s: float,
) -> int:
    service = Service(
        worker_plan.parent_config(config),
        page=lambda: workers.page(),
        views=lambda: workers.views(),
        pipelines=pipelines_of(config),
    )
    workers = Workers(plans, service.reporter, service.metrics)
    on_signals(stop, workers.interrupt)
    systemd = Systemd()
    try:
        await service.start()
        async with systemd.watched(service.host.live), asyncio.TaskGroup() as group:
            running = group.create_task(_keep(workers, stop))
            ready = group.create_task(_announce(workers, service, ready_file, systemd))
            await stop.wait()
            systemd.tell(STOPPING)
            ready.cancel()
            service.host.draining = True
            await workers.stop()
            await running
    except* ConfigError as errors:
        raise ConfigError(str(errors.exceptions[0])) from errors
    finally:
        await service.stop(Deadline.after(shutdown_timeout_s, SystemClock()))
    log.info("service_stopped")
    return EXIT_OK


async def _keep(workers: Workers, stop: asyncio.Event) -> None:
    try:
        await workers.run()
    finally:
        stop.set()


async def _announce(
    workers: Workers, service: Service, ready_file: Path | None, systemd: Systemd
) -> None:
    await workers.all_started.wait()
    endpoints = workers.endpoints() | service.endpoints()
    log.info("workers_started", endpoints=endpoints)
    if ready_file is not None:
        write_ready(ready_file, endpoints)
    systemd.tell(READY)


def _reserving(ports: ExitStack) -> Callable[[str, str, str], str]:
    """
    A function that takes a port for all workers and keeps it while *ports* is open.

    A socket that is bound and does not listen gets no connection; it keeps the port while no
    worker runs, and a free port chosen here is the same for all.
    """
    from bridge.receivers.otlp import bind

    def reserve(endpoint: str, transport: str, where: str) -> str:
        # Alone first: sharing would also succeed beside another bridge, and mix their traffic.
        alone = bind(endpoint, transport, where, reuse_port=False)
        parsed = replace(parse_endpoint(endpoint), port=alone[0].getsockname()[1])
        _close(alone)
        host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
        shared = f"{host}:{parsed.port}"
        held = bind(shared, transport, where, reuse_port=True)
        ports.callback(_close, held)
        return shared

    return reserve


def _close(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()
