"""
One worker: a process that the parent starts with a socket, as ``-m bridge.service.worker FD``.

It runs its pipelines as the only process would, answers the parent's questions, and drains when
the parent asks by signal or is gone: no worker outlives its parent.
"""

import asyncio
import contextlib
import json
import pickle
import signal
import socket
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog
import uvloop

from bridge.core import ConfigError, Deadline, SystemClock
from bridge.service.connection_sharing import ConnectionSharing
from bridge.service.runner import (
    EXIT_BROKEN,
    EXIT_CONFIG,
    EXIT_OK,
    collect_replaced,
    on_signals,
    tune_gc,
)
from bridge.service.service import ReloadFailed, Service
from bridge.service.worker_link import (
    FIGURES,
    LOOK,
    RELOAD,
    VIEW,
    WorkerPlan,
    read_frame,
    write_frame,
)
from bridge.telemetry import configure_logging, snapshot
from bridge.wire import keep_freed_memory

if TYPE_CHECKING:
    from bridge.extensions.admin.tap_desk import TapDesk

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
    # The parent reloads, also where somebody signals all processes of the name.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    reader, writer = await asyncio.open_unix_connection(sock=link)
    async with asyncio.timeout(PLAN_TIMEOUT_S):
        # Bytes of our own parent, over a socket that nobody else can reach.
        plan: WorkerPlan = pickle.loads(await read_frame(reader))  # noqa: S301
    configure_logging(plan.config.telemetry.logs)
    structlog.contextvars.bind_contextvars(worker=plan.number)
    sharing = None if plan.sharing is None else ConnectionSharing(plan.sharing)
    service = Service(plan.config, share=None if sharing is None else sharing.join)
    upkeep = _Upkeep(service, plan, stop)
    answering = asyncio.create_task(_answer(upkeep, reader, writer, stop))
    try:
        await service.start()
        tune_gc()
        keep_freed_memory()
        await stop.wait()
        await upkeep.stop()
        await service.stop(Deadline.after(plan.shutdown_timeout_s, SystemClock()))
    except ConfigError as error:
        log.error("service_not_started", reason=str(error))  # noqa: TRY400 - the text is the message
        return EXIT_CONFIG
    finally:
        answering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await answering
        writer.close()
        if sharing is not None:
            sharing.close()
    log.info("service_stopped")
    return EXIT_BROKEN if upkeep.broken else EXIT_OK


class _Upkeep:
    """What a worker says of itself, and its reloads: one at a time, beside the answers."""

    def __init__(self, service: Service, plan: WorkerPlan, stop: asyncio.Event) -> None:
        self._service = service
        self._stop = stop
        self.broken = False
        # What changes: the config that runs, and the one that was refused last and why.
        self._generation = plan.generation
        self._refused: tuple[int, str] = (-1, "")
        self._reloading: asyncio.Task[None] | None = None
        self._desk: TapDesk | None = None

    def answer(self, asked: bytes) -> object:
        """What is told to a question."""
        if asked == FIGURES:
            return snapshot(self._service.metrics)
        if asked == VIEW:
            view = self._service.view()
            return [view.figures, view.details, view.events]
        if asked.startswith(LOOK):
            return self._look(json.loads(asked[len(LOOK) :]))
        if asked.startswith(RELOAD):
            # Bytes of our own parent, as the plan at the start.
            plan: WorkerPlan = pickle.loads(asked[len(RELOAD) :])  # noqa: S301
            if self._reloading is None or self._reloading.done():
                self._reloading = asyncio.create_task(self._reload(plan))
            return {}
        return {
            **_status(self._service),
            "generation": self._generation,
            "refused": list(self._refused),
        }

    def _look(self, question: Any) -> Mapping[str, Any]:
        if self._desk is None:
            # The language of conditions is loaded once somebody looks.
            from bridge.extensions.admin.tap_desk import TapDesk

            self._desk = TapDesk(self._service.host, SystemClock())
        return self._desk.answer(question)

    async def stop(self) -> None:
        """Break a reload off."""
        if self._reloading is not None:
            self._reloading.cancel()
            await asyncio.wait((self._reloading,))

    async def _reload(self, plan: WorkerPlan) -> None:
        try:
            await self._service.reload(plan.config, plan.shutdown_timeout_s)
        except ConfigError as error:
            self._refused = (plan.generation, str(error))
            return
        except ReloadFailed as error:
            # The parent starts a worker anew that has ended.
            log.critical("config_reload_failed", reason=str(error), exit_code=EXIT_BROKEN)
            self.broken = True
            self._stop.set()
            return
        collect_replaced()
        configure_logging(plan.config.telemetry.logs)
        self._generation = plan.generation


async def _answer(
    upkeep: _Upkeep,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    stop: asyncio.Event,
) -> None:
    try:
        # No timeout: the parent asks when it wants to, and its end ends the socket.
        while True:
            asked = await read_frame(reader)
            await write_frame(writer, json.dumps(upkeep.answer(asked)).encode())
    except (EOFError, OSError):
        if not stop.is_set():
            log.warning("parent_gone")
            stop.set()


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
