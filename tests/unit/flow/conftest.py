"""Fakes for stages: a clock driven by hand, figures that can be read, a stage told what to say."""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.core import (
    ACCEPTED,
    Batch,
    ComponentId,
    Counter,
    Deadline,
    Histogram,
    Origin,
    Receipt,
    Settings,
    Signal,
    Status,
)


class HandClock:
    """Time stands until the test moves it; sleepers wake in the order of their time."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.sleeps: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_s + seconds, len(self.sleeps), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let *seconds* pass, waking each sleeper at its own moment."""
        until_s = self.now_s + seconds
        await turns()
        while self._sleepers and self._sleepers[0][0] <= until_s:
            self.now_s, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await turns()
        self.now_s = until_s


async def turns(count: int = 20) -> None:
    """Let everything that can run do so."""
    for _ in range(count):
        await asyncio.sleep(0)


class Figures:
    """Metrics whose values the test reads by name and labels."""

    def __init__(self) -> None:
        self.counters: dict[Any, Counter] = {}
        self.histograms: dict[Any, Histogram] = {}
        self.gauges: dict[Any, Callable[[], float]] = {}

    def counter(self, name: str, labels: Any = None) -> Counter:
        return self.counters.setdefault(_key(name, labels), Counter())

    def histogram(self, name: str, labels: Any = None) -> Histogram:
        return self.histograms.setdefault(_key(name, labels), Histogram((1.0, 10.0)))

    def gauge(self, name: str, labels: Any, read: Callable[[], float]) -> None:
        self.gauges[_key(name, labels)] = read

    def forget(self, name: str, labels: Any = None) -> None:
        self.gauges.pop(_key(name, labels), None)

    def value(self, name: str, **labels: str) -> float:
        """The value of a counter or a gauge; labels not given do not matter."""
        total = 0.0
        for (known, own), counter in self.counters.items():
            if known == name and labels.items() <= dict(own).items():
                total += counter.value
        for (known, own), read in self.gauges.items():
            if known == name and labels.items() <= dict(own).items():
                total += read()
        return total


def _key(name: str, labels: Any) -> Any:
    return name, tuple(sorted((labels or {}).items()))


class Told:
    """A stage that answers as told: an error is raised, a receipt returned, a future awaited."""

    def __init__(self, answers: Iterable[object] = ()) -> None:
        self.answers = list(answers)
        self.got: list[Batch] = []
        self.cancelled = 0

    async def deliver(self, batch: Batch) -> Receipt:
        self.got.append(batch)
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if callable(answer):
            answer = answer(batch)
        if isinstance(answer, asyncio.Future):
            try:
                answer = await answer
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Receipt)
        return answer


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def figures() -> Figures:
    return Figures()


@pytest.fixture
def reports() -> list[Status]:
    """What components reported."""
    return []


@pytest.fixture
def settings(clock: HandClock, figures: Figures, reports: list[Status]) -> Settings:
    return Settings(
        ComponentId.parse("otlp/backend"),
        clock,
        figures,
        reports.append,
        SimpleNamespace(),  # type: ignore[arg-type]  # Nothing under test asks the host.
        "traces",
    )


@pytest.fixture
def told() -> type[Told]:
    return Told


@pytest.fixture
def a_batch(clock: HandClock) -> Callable[..., Batch]:
    """A maker of batches: durable (Kafka) without *deadline_s*, otherwise with a waiting sender."""

    def make(
        body: bytes = b"\x0a\x00",
        items: int = 1,
        deadline_s: float | None = None,
        signal: Signal = Signal.TRACES,
        **metadata: str,
    ) -> Batch:
        deadline = None if deadline_s is None else Deadline.after(deadline_s, clock)
        source = "kafka" if deadline_s is None else "otlp"
        values = {key: (value,) for key, value in metadata.items()}
        return Batch(signal, body, items, Origin(source, deadline), values)

    return make
