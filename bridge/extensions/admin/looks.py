"""Looking at one stage, wherever it is: in this process, or in each of its workers."""

import secrets
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bridge.core import Clock, Host
from bridge.extensions.admin.tap_match import TapMatcher
from bridge.extensions.admin.tapping import OUTCOMES_S, Tap

POLL_S = 0.02
"""Seconds between two questions to the workers while somebody looks."""

Event = Mapping[str, Any]


class NoWorkerAnswers(Exception):
    """None can be asked at the moment, as while they start."""


class Look(Protocol):
    """One look; `close` ends it."""

    @property
    def complete(self) -> bool:
        """Whether as much as wanted was shown."""
        ...

    @property
    def counts(self) -> dict[str, int]:
        """Batches ``seen``, ``shown`` and ``missed``."""
        ...

    async def next(self, timeout_s: float) -> Event | None:
        """What waits longest; `None` if nothing comes in time."""
        ...

    async def close(self) -> None:
        """Look no longer."""
        ...


async def open_look(host: Host, stage: str, where: str, limit: int, clock: Clock) -> Look:
    """
    Begin to look at *stage*: what passes it from now on is seen.

    Raises:
        ValueError: If the condition *where* cannot run.
        LookupError: If there is no such stage; names those there are.
        NoWorkerAnswers: If the stages are in workers, and none can be asked.
    """
    matcher = TapMatcher(where)
    tap_id = secrets.token_hex(8)
    question = {"do": "open", "tap": tap_id, "stage": stage, "where": where, "limit": limit}
    answers = await host.ask_workers(question)
    if answers is None:
        tap = Tap(matcher, limit, clock)
        return _LocalLook(tap, host.watch(stage, tap))
    if not answers:
        raise NoWorkerAnswers
    for answer in answers.values():
        if refused := answer.get("refused"):
            await host.ask_workers({"do": "end", "tap": tap_id})
            raise (ValueError if refused == "where" else LookupError)(answer["text"])
    return WorkersLook(host, question, clock)


class _LocalLook:
    def __init__(self, tap: Tap, end: Callable[[], None]) -> None:
        self._tap = tap
        self._end = end

    @property
    def complete(self) -> bool:
        return self._tap.complete

    @property
    def counts(self) -> dict[str, int]:
        tap = self._tap
        return {"seen": tap.seen, "shown": tap.shown, "missed": tap.missed}

    async def next(self, timeout_s: float) -> Event | None:
        event = await self._tap.next(timeout_s)
        return None if event is None else event.to_json()

    async def close(self) -> None:
        self._end()


class WorkersLook:
    """
    One look through all workers, whose batches get one row of numbers.

    A worker that starts meanwhile is looked at too.

    Args:
        question: By which the tap was opened in all of them.
    """

    def __init__(self, host: Host, question: Mapping[str, Any], clock: Clock) -> None:
        self._host = host
        self._question = question
        self._clock = clock
        self._limit: int = question["limit"]
        # What changes: what is to be told, who is counted how, and which batches are not answered.
        self._told: deque[Event] = deque()
        self._numbers: dict[tuple[int, int], int] = {}
        self._counts: dict[int, tuple[int, int]] = {}
        self._ended = (0, 0)
        self._shown = 0
        self._shown_s = clock.monotonic()

    @property
    def complete(self) -> bool:
        """As many as wanted, and how they were answered, unless that takes long."""
        if self._shown < self._limit or self._told:
            return False
        return not self._numbers or self._clock.monotonic() - self._shown_s >= OUTCOMES_S

    @property
    def counts(self) -> dict[str, int]:
        """Of all workers together, those included that have ended."""
        rows = [self._ended, *self._counts.values()]
        seen, missed = (sum(row[at] for row in rows) for at in (0, 1))
        return {"seen": seen, "shown": self._shown, "missed": missed}

    async def next(self, timeout_s: float) -> Event | None:
        """What waits longest; a tap asks its workers every 20 ms."""
        until_s = self._clock.monotonic() + timeout_s
        while not self._told:
            await self._ask()
            left_s = until_s - self._clock.monotonic()
            if not self._told and left_s <= 0:
                return None
            if not self._told:
                await self._clock.sleep(min(POLL_S, left_s))
        return self._told.popleft()

    async def close(self) -> None:
        """End it in all workers; one that does not hear it ends it by itself."""
        await self._host.ask_workers({"do": "end", "tap": self._question["tap"]})

    async def _ask(self) -> None:
        answers = await self._host.ask_workers({"do": "next", "tap": self._question["tap"]}) or {}
        for worker, answer in answers.items():
            if answer.get("unknown"):
                self._begin_again(worker)
                continue
            self._counts[worker] = answer["seen"], answer["missed"]
            for event in answer["events"]:
                self._take(worker, event)
        if any(answer.get("unknown") for answer in answers.values()):
            await self._host.ask_workers(self._question)

    def _begin_again(self, worker: int) -> None:
        """Another process is worker *worker* now; how the batches of the former ended is lost."""
        seen, missed = self._counts.pop(worker, (0, 0))
        self._ended = self._ended[0] + seen, self._ended[1] + missed
        for key in [key for key in self._numbers if key[0] == worker]:
            del self._numbers[key]

    def _take(self, worker: int, event: Mapping[str, Any]) -> None:
        key = worker, event["number"]
        if event["event"] == "outcome":
            number = self._numbers.pop(key, None)
        elif self._shown < self._limit:
            self._shown += 1
            self._shown_s = self._clock.monotonic()
            number = self._numbers[key] = self._shown
        else:
            number = None  # Another worker was quicker.
        if number is not None:
            self._told.append({**event, "number": number, "worker": worker})
