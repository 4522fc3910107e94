"""
One worker: a process that the parent starts with a socket, as ``-m bridge.service.worker FD``.

It runs its pipelines as the only process would, answers the parent's questions, and drains when
the parent asks by signal or is gone: no worker outlives its parent.
"""

import asyncio
import contextlib
import json
import pickle
import socket
import sys

import structlog
import uvloop

from bridge.core import ConfigError, Deadline, SystemClock
from bridge.service.runner import EXIT_CONFIG, EXIT_OK, on_signals, tune_gc
from bridge.service.service import Service
from bridge.service.worker_link import FIGURES, VIEW, WorkerPlan, read_frame, write_frame
from bridge.telemetry import configure_logging, snapshot

log = structlog.get_logger()

PLAN_TIMEOUT_S = 30.0
"""Time for the parent to say what to do; it does so at once."""


def main() -> int:
    """Run until told to end; the process's exit code as of `bridge.service.run`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_work(socket.socket(fileno=int(sys.argv[1]))))


async def _work(link: socket.socket) -> int:
    stop = asyncio.Event()
    on_signals(stop)
    reader, writer = await asyncio.open_unix_connection(sock=link)
    async with asyncio.timeout(PLAN_TIMEOUT_S):
        # Bytes of our own parent, over a socket that nobody else can reach.
        plan: WorkerPlan = pickle.loads(await read_frame(reader))  # noqa: S301
    configure_logging(plan.config.telemetry.logs)
    structlog.contextvars.bind_contextvars(worker=plan.number)
    service = Service(plan.config)
    answering = asyncio.create_task(_answer(service, reader, writer, stop))
    try:
        await service.start()
        tune_gc()
        await stop.wait()
        await service.stop(Deadline.after(plan.shutdown_timeout_s, SystemClock()))
    except ConfigError as error:
        log.error("service_not_started", reason=str(error))  # noqa: TRY400 - the text is the message
        return EXIT_CONFIG
    finally:
        answering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await answering
        writer.close()
    log.info("service_stopped")
    return EXIT_OK


async def _answer(
    service: Service,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    stop: asyncio.Event,
) -> None:
    try:
        # No timeout: the parent asks when it wants to, and its end ends the socket.
        while True:
            asked = await read_frame(reader)
            told = _tell(service, asked)
            await write_frame(writer, json.dumps(told).encode())
    except (EOFError, OSError):
        if not stop.is_set():
            log.warning("parent_gone")
            stop.set()


def _tell(service: Service, asked: bytes) -> object:
    if asked == FIGURES:
        return snapshot(service.metrics)
    if asked == VIEW:
        view = service.view()
        return [view.figures, view.details, view.events]
    return _status(service)


def _status(service: Service) -> dict[str, object]:
    host = service.host
    return {
        "started": host.started,
        "live": host.live(),
        "ready": host.ready(),
        "endpoints": service.endpoints() if host.started else {},
        "troubles": [
            [name, status.state.value, status.reason, status.hint]
            for name, statuses in service.troubles().items()
            for status in statuses
        ],
    }


if __name__ == "__main__":
    raise SystemExit(main())
