"""One process: the loop, the signals, the exit code."""

import asyncio
import gc
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
import uvloop

from bridge.config import LoadedConfig
from bridge.core import ConfigError, Deadline, SystemClock
from bridge.service.reload_plan import ReloadPlan
from bridge.service.reloader import Load, Reloader
from bridge.service.service import ReloadFailed, Service
from bridge.service.systemd import READY, STOPPING, Systemd
from bridge.telemetry import configure_logging
from bridge.wire import keep_freed_memory

log = structlog.get_logger()

EXIT_OK = 0
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 75
"""A second signal: left without draining. What was acknowledged is safe; the rest comes again."""

EXIT_BROKEN = 69
"""A reload failed and the former config could not be run again; a new start may work."""

SHUTDOWN_TIMEOUT_S = 25.0
"""Time for a drain: five seconds less than the 30 s that Kubernetes grants by default."""


def run(
    config: LoadedConfig,
    *,
    workers: int = 1,
    ready_file: Path | None = None,
    shutdown_timeout_s: float = SHUTDOWN_TIMEOUT_S,
    load: Load | None = None,
) -> int:
    """
    Run *config* until SIGTERM or SIGINT, drain, and return the process's exit code.

    Args:
        workers:
            Processes; with more than one this process starts and watches them.
        ready_file:
            Written atomically once everything listens: JSON with ``pid`` and ``endpoints``.
        shutdown_timeout_s:
            Seconds for the drain; what is not finished then is abandoned to redelivery.
        load:
            Reads the config anew at SIGHUP, and raises as `bridge.config.load`. Without it SIGHUP
            ends the process, as it does by default.

    Returns:
        0 after a drain, 78 if a component cannot work as configured, 69 if a reload left nothing
        that runs. A second signal ends the process at once with 75.
    """
    configure_logging(config.telemetry.logs)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if workers > 1:
            # Few need it: the start of a single process stays lean.
            from bridge.service.parent import serve_workers

            tune_gc()
            return runner.run(serve_workers(config, workers, ready_file, shutdown_timeout_s, load))
        return runner.run(_serve(config, ready_file, shutdown_timeout_s, load))


async def _serve(
    config: LoadedConfig, ready_file: Path | None, shutdown_timeout_s: float, load: Load | None
) -> int:
    stop = asyncio.Event()
    on_signals(stop)
    service = Service(config)
    systemd = Systemd()

    async def apply(new: LoadedConfig) -> ReloadPlan:
        try:
            plan = await service.reload(new, shutdown_timeout_s)
        finally:
            # Also when it was undone: a receiver that asked for any free port has another one.
            _write_ready(ready_file, service)
        configure_logging(new.telemetry.logs)
        collect_replaced()
        return plan

    reloader = None if load is None else Reloader(load, apply, service.metrics, systemd)
    try:
        await service.start()
    except ConfigError as error:
        log.error("service_not_started", reason=str(error))  # noqa: TRY400 - the text is the message
        return EXIT_CONFIG
    tune_gc()
    keep_freed_memory()
    _write_ready(ready_file, service)
    async with systemd.watched(service.host.live):
        systemd.tell(READY)
        code = await reload_until(stop, reloader)
        systemd.tell(STOPPING)
        await service.stop(Deadline.after(shutdown_timeout_s, SystemClock()))
    log.info("service_stopped")
    return code


async def reload_until(stop: asyncio.Event, reloader: Reloader | None) -> int:
    """
    Reload whenever asked until *stop* is set; a reload that is under way then is broken off.

    Returns:
        0, or 69 if a reload left nothing that runs.
    """
    if reloader is None:
        await stop.wait()
        return EXIT_OK
    tasks = (asyncio.create_task(reloader.run()), asyncio.create_task(stop.wait()))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        reloading, _ = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(reloading, ReloadFailed):
        log.critical("config_reload_failed", reason=str(reloading), exit_code=EXIT_BROKEN)
        return EXIT_BROKEN
    if isinstance(reloading, Exception):
        raise reloading
    return EXIT_OK


def on_signals(stop: asyncio.Event, interrupt: Callable[[], None] = lambda: None) -> None:
    """
    Set *stop* at the first SIGTERM or SIGINT; at the second call *interrupt* and end at once.
    """
    loop = asyncio.get_running_loop()

    def receive(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("service_interrupted", signal=number.name, exit_code=EXIT_INTERRUPTED)
            interrupt()
            os._exit(EXIT_INTERRUPTED)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, receive, number)


def tune_gc() -> None:
    """
    Keep the collector from walking what lives as long as the process.

    Requests are freed by reference count; the thresholds only bound what cycles may pile up. What
    importing left behind is kept too: looking for it costs a tenth of the start and frees nothing
    that shows in the resident size.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()


def collect_replaced() -> None:
    """Free what a reload has replaced, which was kept from the collector so far."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _write_ready(path: Path | None, service: Service) -> None:
    if path is not None:
        write_ready(path, service.endpoints())


def write_ready(path: Path, endpoints: Mapping[str, str]) -> None:
    """Write the ready file atomically."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({"pid": os.getpid(), "endpoints": dict(endpoints)}) + "\n")
    part.replace(path)
