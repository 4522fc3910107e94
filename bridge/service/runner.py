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
from bridge.service.service import Service
from bridge.service.systemd import READY, STOPPING, Systemd
from bridge.telemetry import configure_logging

log = structlog.get_logger()

EXIT_OK = 0
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 75
"""A second signal: left without draining. What was acknowledged is safe; the rest comes again."""

SHUTDOWN_TIMEOUT_S = 25.0
"""Time for a drain: five seconds less than the 30 s that Kubernetes grants by default."""


def run(
    config: LoadedConfig,
    *,
    workers: int = 1,
    ready_file: Path | None = None,
    shutdown_timeout_s: float = SHUTDOWN_TIMEOUT_S,
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

    Returns:
        0 after a drain, 78 if a component cannot work as configured. A second signal ends the
        process at once with 75.
    """
    configure_logging(config.telemetry.logs)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if workers > 1:
            # Few need it: the start of a single process stays lean.
            from bridge.service.parent import serve_workers

            tune_gc()
            return runner.run(serve_workers(config, workers, ready_file, shutdown_timeout_s))
        return runner.run(_serve(config, ready_file, shutdown_timeout_s))


async def _serve(config: LoadedConfig, ready_file: Path | None, shutdown_timeout_s: float) -> int:
    stop = asyncio.Event()
    on_signals(stop)
    service = Service(config)
    try:
        await service.start()
    except ConfigError as error:
        log.error("service_not_started", reason=str(error))  # noqa: TRY400 - the text is the message
        return EXIT_CONFIG
    tune_gc()
    if ready_file is not None:
        write_ready(ready_file, service.endpoints())
    systemd = Systemd()
    async with systemd.watched(service.host.live):
        systemd.tell(READY)
        await stop.wait()
        systemd.tell(STOPPING)
        await service.stop(Deadline.after(shutdown_timeout_s, SystemClock()))
    log.info("service_stopped")
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


def write_ready(path: Path, endpoints: Mapping[str, str]) -> None:
    """Write the ready file atomically."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({"pid": os.getpid(), "endpoints": dict(endpoints)}) + "\n")
    part.replace(path)
