"""``--workers N``: the parent that starts, watches and restarts them, and speaks for all."""

import asyncio
import contextlib
import json
import pickle
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from bridge.core import ConfigError, State, Status, View
from bridge.service.runner import EXIT_CONFIG
from bridge.service.worker_link import FIGURES, LOOK, RELOAD, STATUS, VIEW, WorkerPlan
from bridge.service.worker_process import NoAnswer, WorkerProcess
from bridge.telemetry import Gathered, MetricRegistry

log = structlog.get_logger()

POLL_S = 1.0
"""How often each worker is asked how it is, and how old readiness may be."""

RELOAD_POLL_S = 0.1
"""How often a reload looks whether a worker has said that it is done."""

SILENCE_MAX_S = 60.0
"""After this silence a worker counts as hung and is killed: Kafka has long given its partitions
to others, and its share of the connections is served by nobody."""

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
STEADY_S = 60.0
"""A worker that ran this long starts again without a history of failures."""

_STARTING = "starting"


@dataclass(slots=True)
class _Seat:
    """The place of one worker, whichever process holds it."""

    number: int
    report: Callable[[Status], None]
    process: WorkerProcess | None = None
    status: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = _STARTING
    failures: int = 0


class Workers:
    """
    The workers of one service.

    Args:
        plans:
            What each is to do.
        reporter:
            Gives the function by which the worker of a name reports its status.
        metrics:
            The parent's own.
        start:
            Starts a process; replaced in tests.
        ended:
            Called with the number of each worker whose process has ended.
    """

    def __init__(
        self,
        plans: list[WorkerPlan],
        reporter: Callable[[str], Callable[[Status], None]],
        metrics: MetricRegistry,
        start: Callable[[WorkerPlan], Awaitable[WorkerProcess]] = WorkerProcess.start,
        ended: Callable[[int], None] = lambda number: None,
    ) -> None:
        self._start = start
        self._ended = ended
        self._plans = list(plans)
        self._seats = [_Seat(plan.number, reporter(f"workers/{plan.number}")) for plan in plans]
        self._metrics = metrics
        self._gathered = Gathered(metrics)
        self._stopping = asyncio.Event()
        self.all_started = asyncio.Event()
        metrics.gauge("bridge_workers_running", None, self._running)
        for seat in self._seats:
            metrics.counter("bridge_worker_restarts", {"worker": str(seat.number)})

    async def run(self) -> None:
        """
        Keep all workers running until `stop`; returns when the last has ended.

        A cancellation kills them.

        Raises:
            ConfigError: If a worker cannot work as configured; the others were drained.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for seat in self._seats:
                    group.create_task(self._keep(seat))
        except* ConfigError as errors:
            raise ConfigError(str(errors.exceptions[0])) from errors

    async def reload(self, plans: list[WorkerPlan]) -> None:
        """
        Let all run by *plans* from now on, the first worker before the others.

        One that ends meanwhile starts again with its new plan.

        A refusal takes the next generation for the way back.

        Raises:
            ConfigError: If one refuses its plan; then all have the former plans again.
        """
        former = list(self._plans)
        try:
            await self._take(plans[:1])
            await self._take(plans[1:])
        except ConfigError:
            # With a count of its own, so that nobody takes the refusal for an answer to this.
            generation = plans[0].generation + 1
            await self._take([replace(plan, generation=generation) for plan in former])
            raise

    async def _take(self, plans: list[WorkerPlan]) -> None:
        for plan in plans:
            self._plans[plan.number] = plan
        try:
            async with asyncio.TaskGroup() as group:
                for plan in plans:
                    group.create_task(self._reload(self._seats[plan.number], plan))
        except* ConfigError as errors:
            raise ConfigError(str(errors.exceptions[0])) from errors

    async def _reload(self, seat: _Seat, plan: WorkerPlan) -> None:
        told = None
        while not self._stopping.is_set():
            process = seat.process
            # Each process once; one that starts meanwhile has this plan from the beginning.
            if process is not None and process is not told and seat.status.get("started"):
                told = process
                if seat.status["generation"] != plan.generation:
                    with contextlib.suppress(NoAnswer):
                        await process.ask(RELOAD + pickle.dumps(plan))
            await asyncio.sleep(RELOAD_POLL_S)
            if not seat.status:
                continue
            if seat.status["generation"] == plan.generation:
                return
            generation, reason = seat.status["refused"]
            if generation == plan.generation:
                raise ConfigError(reason)

    async def stop(self) -> None:
        """Let all drain, within the time that their plans give; those that overrun are killed."""
        self._stopping.set()
        async with asyncio.TaskGroup() as group:
            for seat, plan in zip(self._seats, self._plans, strict=True):
                if seat.process is not None:
                    group.create_task(seat.process.stop(plan.shutdown_timeout_s))

    def interrupt(self) -> None:
        """End all at once, as a second signal asks."""
        for seat in self._seats:
            if seat.process is not None:
                seat.process.kill()

    def endpoints(self) -> dict[str, str]:
        """What the workers listen at together."""
        return dict(self._seats[0].status.get("endpoints", {}))

    async def page(self) -> MetricRegistry:
        """All figures, asked for now; of a worker that does not answer, those known last."""
        async with asyncio.TaskGroup() as group:
            for seat in self._seats:
                group.create_task(self._gather(seat))
        return self._gathered.page()

    async def views(self) -> list[View]:
        """What workers that ended had counted, and then what each that answers shows now."""
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._look(seat)) for seat in self._seats]
        told = [view for task in asked if (view := task.result()) is not None]
        return [View(None, self._gathered.ended(), {}, []), *told]

    async def ask(self, question: Mapping[str, Any]) -> dict[int, Any]:
        """What each that answers says to a question of an extension, by its number."""
        asked = LOOK + json.dumps(question).encode()
        running = [(seat.number, seat.process) for seat in self._seats if seat.process]
        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(_answer(process, asked)) for _, process in running]
        told = zip((number for number, _ in running), answers, strict=True)
        return {number: task.result() for number, task in told if task.result() is not None}

    async def _keep(self, seat: _Seat) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began_s = loop.time()
            why, was_well = await self._run_once(seat, self._plans[seat.number])
            self._gathered.end(seat.number)
            if self._stopping.is_set():
                return
            seat.failures = 1 if loop.time() - began_s > STEADY_S else seat.failures + 1
            if why == f"exit code {EXIT_CONFIG}" and not was_well:
                await self.stop()
                raise ConfigError(f"worker {seat.number} cannot start; its log says why")
            wait_s = min(BACKOFF_FIRST_S * 2 ** (seat.failures - 1), BACKOFF_MAX_S)
            log.error("worker_ended", worker=seat.number, reason=why, restart_in_s=wait_s)
            self._say(seat, f"ended with {why}; starts again in {wait_s:g} s")
            await self._pause(wait_s)
            if not self._stopping.is_set():
                self._metrics.counter("bridge_worker_restarts", {"worker": str(seat.number)}).add()

    async def _run_once(self, seat: _Seat, plan: WorkerPlan) -> tuple[str, bool]:
        """Run one process to its end: how it ended, and whether it had ever started."""
        try:
            process = await self._start(plan)
        except (NoAnswer, OSError) as error:
            return str(error), False
        log.info("worker_started", worker=seat.number, pid=process.pid)
        seat.process = process
        if self._stopping.is_set():  # While it was being started nobody could stop it.
            process.terminate()
        watching = asyncio.create_task(self._watch(seat, process))
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            raise
        finally:
            watching.cancel()
            await asyncio.wait((watching,))
            started = bool(seat.status.get("started"))
            seat.process, seat.status = None, {}
            self._ended(seat.number)
        return (f"exit code {code}" if code >= 0 else f"signal {-code}"), started

    async def _watch(self, seat: _Seat, process: WorkerProcess) -> None:
        silent_since_s: float | None = None
        loop = asyncio.get_running_loop()
        while True:
            try:
                seat.status = await process.ask(STATUS)
            except NoAnswer as error:
                silent_since_s = silent_since_s or loop.time()
                if loop.time() - silent_since_s > SILENCE_MAX_S:
                    log.error("worker_hung", worker=seat.number, pid=process.pid)  # noqa: TRY400
                    process.kill()
                    return
                self._say(seat, f"does not answer ({error})")
            else:
                silent_since_s = None
                self._say(seat, _trouble(seat.status))
                if all(each.status.get("started") for each in self._seats):
                    self.all_started.set()
            await asyncio.sleep(POLL_S)

    def _say(self, seat: _Seat, trouble: str) -> None:
        """Report one worker; the service is ready as long as one worker is."""
        if self._stopping.is_set():
            return
        seat.trouble = trouble
        impedes = all(each.trouble for each in self._seats) or not self.all_started.is_set()
        for each in self._seats:
            if not each.trouble:
                each.report(Status(State.OK))
            elif each.status and not each.status["live"]:
                each.report(Status(State.FATAL, each.trouble))
            elif each.trouble != _STARTING:
                each.report(Status(State.RECOVERABLE, each.trouble, impedes_readiness=impedes))

    async def _gather(self, seat: _Seat) -> None:
        if seat.process is None:
            return
        try:
            figures = await seat.process.ask(FIGURES)
        except NoAnswer:
            return
        if seat.process is not None:
            self._gathered.update(seat.number, figures)

    async def _look(self, seat: _Seat) -> View | None:
        if seat.process is None:
            return None
        try:
            figures, details, events = await seat.process.ask(VIEW)
        except NoAnswer:
            return None
        if seat.process is not None:
            self._gathered.update(seat.number, figures)
        return View(seat.number, figures, details, events)

    def _running(self) -> float:
        return sum(seat.process is not None for seat in self._seats)

    async def _pause(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            return


async def _answer(process: WorkerProcess, asked: bytes) -> Any:
    try:
        return await process.ask(asked)
    except NoAnswer:
        return None


def _trouble(status: Mapping[str, Any]) -> str:
    """What keeps a worker from working; `_STARTING` while nothing is wrong yet."""
    if status["ready"] and status["live"]:
        return ""
    told = [
        f"{name}: {reason or state}{f' ({hint})' if hint else ''}"
        for name, state, reason, hint in status["troubles"]
        if state != State.STARTING.value
    ]
    return "; ".join(told) or _STARTING
