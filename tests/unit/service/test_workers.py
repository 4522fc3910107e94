"""The parent's watch over its workers, with processes that are none."""

import asyncio
import pickle
from collections.abc import Callable
from typing import Any, cast

import pytest

from bridge.core import ConfigError, State, Status
from bridge.service import workers as module
from bridge.service.worker_link import FIGURES, RELOAD, WorkerPlan
from bridge.service.worker_process import NoAnswer, WorkerProcess
from bridge.service.workers import Workers
from bridge.telemetry import MetricRegistry

STARTED = {
    "started": True,
    "live": True,
    "ready": True,
    "endpoints": {"x": "h:1"},
    "troubles": [],
    "generation": 0,
    "refused": [-1, ""],
}


class FakeProcess:
    """A worker that ends when told to, and answers what it is given."""

    def __init__(self, number: int, status: dict[str, Any] | None = None) -> None:
        self.pid = number
        self.status = status or dict(STARTED)
        self.answers = True
        self.refuses = ""
        self.reloads: list[int] = []
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def ask(self, question: bytes) -> Any:
        if not self.answers:
            raise NoAnswer("silent")
        if question.startswith(RELOAD):
            plan = pickle.loads(question[len(RELOAD) :])
            self.reloads.append(plan.generation)
            if self.refuses:
                self.status = {**self.status, "refused": [plan.generation, self.refuses]}
                self.refuses = ""
            else:
                self.status = {**self.status, "generation": plan.generation}
            return {}
        if question == FIGURES:
            return [["otelcol_receiver_accepted_spans", "counter", "", [], {}, 5]]
        return self.status

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    def end(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)

    def terminate(self) -> None:
        self.end(0)

    def kill(self) -> None:
        self.end(-9)

    async def stop(self, timeout_s: float) -> None:
        self.end(0)


class Scene:
    """Two workers, what they reported last, and the processes that were started."""

    def __init__(self, status: dict[str, Any] | None = None) -> None:
        self.started: list[FakeProcess] = []
        self.reports: dict[str, Status] = {}
        self.metrics = MetricRegistry()
        self._status = status
        plans = [WorkerPlan(number, cast("Any", None), 1.0) for number in range(2)]
        self.workers = Workers(plans, self._reporter, self.metrics, self._start)

    async def until(self, true: Callable[[], bool]) -> None:
        """Let the loop turn until *true*; the pauses between are shortened by the fixture."""
        async with asyncio.timeout(5):
            while not true():  # noqa: ASYNC110 - the scene has no events
                await asyncio.sleep(0)

    async def _start(self, plan: WorkerPlan) -> WorkerProcess:
        process = FakeProcess(plan.number, self._status)
        process.status["generation"] = plan.generation
        self.started.append(process)
        return cast("WorkerProcess", self.started[-1])

    def _reporter(self, name: str) -> Callable[[Status], None]:
        def report(status: Status) -> None:
            self.reports[name] = status

        return report


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.0)
    monkeypatch.setattr(module, "RELOAD_POLL_S", 0.0)
    monkeypatch.setattr(module, "BACKOFF_FIRST_S", 0.0)


async def test_worker_that_dies_is_started_again_and_counted() -> None:
    """After a kill a new process has the seat, and what the dead one counted stays."""
    scene = Scene()
    running = asyncio.create_task(scene.workers.run())
    await scene.until(scene.workers.all_started.is_set)
    first = await scene.workers.page()
    scene.started[0].kill()
    await scene.until(lambda: len(scene.started) == 3)
    await scene.until(lambda: scene.metrics.value("bridge_workers_running") == 2)
    page = await scene.workers.page()
    await scene.workers.stop()
    await running

    assert scene.started[2].pid == 0
    assert scene.metrics.value("bridge_worker_restarts", {"worker": "0"}) == 1
    assert first.value("otelcol_receiver_accepted_spans") == 10
    assert page.value("otelcol_receiver_accepted_spans") == 15


async def test_stop_ends_all_and_starts_none_again() -> None:
    """A stop is no failure."""
    scene = Scene()
    running = asyncio.create_task(scene.workers.run())
    await scene.until(scene.workers.all_started.is_set)
    assert scene.workers.endpoints() == {"x": "h:1"}
    await scene.workers.stop()
    await running
    assert len(scene.started) == 2
    assert scene.metrics.value("bridge_workers_running") == 0


async def test_worker_that_cannot_start_as_configured_ends_all() -> None:
    """Exit code 78 before a start is the config's fault: another try would fail alike."""
    scene = Scene({**STARTED, "started": False, "ready": False})
    running = asyncio.create_task(scene.workers.run())
    await scene.until(lambda: len(scene.started) == 2)
    scene.started[1].end(78)
    with pytest.raises(ConfigError, match="worker 1 cannot start"):
        await running
    assert len(scene.started) == 2


async def test_one_worker_in_trouble_does_not_take_readiness() -> None:
    """Others do the work; only when none does is the service not ready."""
    scene = Scene()
    running = asyncio.create_task(scene.workers.run())
    await scene.until(scene.workers.all_started.is_set)
    impaired = {**STARTED, "ready": False, "troubles": [["r/kafka", "S", "away", "wait"]]}
    scene.started[0].status = impaired
    await scene.until(lambda: scene.reports["workers/0"].state is State.RECOVERABLE)
    one = scene.reports["workers/0"]
    scene.started[1].status = impaired
    await scene.until(lambda: scene.reports["workers/0"].impedes_readiness)
    await scene.workers.stop()
    await running

    assert (one.reason, one.impedes_readiness) == ("r/kafka: away (wait)", False)
    assert scene.reports["workers/1"].impedes_readiness


async def test_hung_worker_is_killed_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stays silent is replaced by one that answers."""
    monkeypatch.setattr(module, "SILENCE_MAX_S", 0.0)
    scene = Scene()
    running = asyncio.create_task(scene.workers.run())
    await scene.until(scene.workers.all_started.is_set)
    scene.started[1].answers = False
    await scene.until(lambda: len(scene.started) == 3)
    await scene.workers.stop()
    await running
    assert scene.started[2].pid == 1


def _plans(generation: int) -> list[WorkerPlan]:
    return [WorkerPlan(number, cast("Any", None), 1.0, generation) for number in range(2)]


async def test_reload_asks_every_worker_and_those_that_start_later() -> None:
    """The plan stays: a worker that dies afterwards comes back with it."""
    scene = Scene()
    running = asyncio.create_task(scene.workers.run())
    await scene.until(scene.workers.all_started.is_set)
    await scene.workers.reload(_plans(2))
    scene.started[1].kill()
    await scene.until(lambda: len(scene.started) == 3)
    assert [process.reloads for process in scene.started] == [[2], [2], []]
    assert scene.started[2].status["generation"] == 2
    await scene.workers.stop()
    await running


async def test_reload_that_the_first_worker_refuses_never_reaches_the_others() -> None:
    """It goes back by itself, and all get the former plan as one to be sure of."""
    scene = Scene()
    running = asyncio.create_task(scene.workers.run())
    await scene.until(scene.workers.all_started.is_set)
    scene.started[0].refuses = "port in use"
    with pytest.raises(ConfigError, match="port in use"):
        await scene.workers.reload(_plans(2))
    assert [process.reloads for process in scene.started] == [[2, 3], [3]]
    await scene.workers.stop()
    await running


async def test_reload_goes_on_when_a_worker_dies_of_it() -> None:
    """It starts with the new plan, which then is what was asked for."""
    scene = Scene()
    running = asyncio.create_task(scene.workers.run())
    await scene.until(scene.workers.all_started.is_set)
    scene.started[0].answers = False
    reloading = asyncio.create_task(scene.workers.reload(_plans(2)))
    await asyncio.sleep(0)
    scene.started[0].kill()
    await reloading
    assert len(scene.started) == 3
    assert scene.started[1].reloads == [2]
    await scene.workers.stop()
    await running
