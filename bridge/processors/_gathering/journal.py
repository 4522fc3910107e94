"""
Decisions written down elsewhere before anything follows from them.

A decision is noted when it is made. Nothing of its trace is delivered and no record is finished
until everything noted before is written: so whoever has the partition next finds the decision, and
late spans follow it (design, section 9 rule 14).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from bridge.core import Deadline, DeliveryError, Denied, Retryable, Settings
from bridge.flow import Backoff, Health
from bridge.kafka import DecidedTrace
from bridge.processors._gathering.telemetry import Telemetry

log = structlog.get_logger()

RETRY = Backoff(initial_s=0.5, multiplier=2.0, spread=0.5, max_s=15.0, hint_max_s=60.0)

DECISIONS_AT_ONCE = 5000
"""Decisions that one write takes; about 225 KiB."""

_DRAW = 0.5


class DecisionLog(Protocol):
    """Where decisions are written, by partition of the source topic."""

    async def write(self, source: str, decided: Mapping[int, Sequence[DecidedTrace]]) -> None:
        """
        Write decisions, until they are safe.

        Raises:
            DeliveryError: If they are not; some may be written.
        """
        ...

    async def read(self, source: str, partition: int, timeout_s: float) -> list[DecidedTrace]:
        """
        The decisions of one partition, oldest first.

        Raises:
            DeliveryError: If they could not be read in time.
        """
        ...

    async def stop(self, deadline: Deadline) -> None:
        """Hold nothing open."""
        ...


class Journal:
    """
    What waits to be written, and what waits for that.

    Args:
        read_timeout_s:
            Seconds for reading the decisions of one partition; afterwards it begins without.
        act:
            Called when something was written.
    """

    def __init__(
        self,
        decisions: DecisionLog,
        settings: Settings,
        telemetry: Telemetry,
        read_timeout_s: float,
        act: Callable[[], None],
    ) -> None:
        self._decisions = decisions
        self._clock = settings.clock
        self._telemetry = telemetry
        self._read_timeout_s = read_timeout_s
        self._act = act
        self._health = Health(settings, "decisions")
        # What changes: what is noted and not written, how much was of both, and who waits.
        self._pending: deque[tuple[str, int, DecidedTrace]] = deque()
        self.noted = 0
        self.written = 0
        self._work = asyncio.Event()
        self._progress = asyncio.Event()

    def note(self, source: str, partition: int, trace_id: bytes, sampled: bool) -> None:
        """Note a decision about a trace of *partition* of the topic *source*."""
        decided = DecidedTrace(trace_id, sampled, int(self._clock.wall() * 1000))
        self._pending.append((source, partition, decided))
        self.noted += 1
        self._work.set()

    async def wait_written(self) -> None:
        """Wait until everything is written that is noted by now."""
        ticket = self.noted
        while self.written < ticket:
            self._progress.clear()
            await self._progress.wait()

    async def read(self, source: str, partition: int) -> list[DecidedTrace]:
        """The decisions of a partition; none if they cannot be read in time, which is told."""
        began_s = time.monotonic()
        try:
            found = await self._decisions.read(source, partition, self._read_timeout_s)
        except DeliveryError as error:
            self._telemetry.decisions_unread.add()
            log.warning(
                "decisions_unread", topic=source, partition=partition, reason=str(error),
                hint="late spans of this partition may start traces of their own",
            )  # fmt: skip
            return []
        self._telemetry.decisions_read.add(len(found))
        log.debug(
            "decisions_read", topic=source, partition=partition, decisions=len(found),
            seconds=round(time.monotonic() - began_s, 3),
        )  # fmt: skip
        return found

    async def write_forever(self) -> None:
        """Write what is noted, in order, until cancelled."""
        while True:
            while not self._pending:
                self._work.clear()
                await self._work.wait()
            count = min(len(self._pending), DECISIONS_AT_ONCE)
            await self._write([self._pending[index] for index in range(count)])
            for _ in range(count):
                self._pending.popleft()
            self.written += count
            self._telemetry.decisions_written.add(count)
            self._progress.set()
            self._act()

    async def stop(self, deadline: Deadline) -> None:
        """Close what the log has open."""
        await self._decisions.stop(deadline)

    async def _write(self, noted: Sequence[tuple[str, int, DecidedTrace]]) -> None:
        by_source: dict[str, dict[int, list[DecidedTrace]]] = {}
        for source, partition, decided in noted:
            by_source.setdefault(source, {}).setdefault(partition, []).append(decided)
        for source, by_partition in by_source.items():
            await self._write_for_certain(source, by_partition)

    async def _write_for_certain(
        self, source: str, decided: Mapping[int, Sequence[DecidedTrace]]
    ) -> None:
        failures = 0
        while True:
            try:
                await self._decisions.write(source, decided)
            except DeliveryError as error:
                failures += 1
                self._telemetry.decision_write_failures.add()
                await self._clock.sleep(self._wait_s(error, failures))
            else:
                self._health.succeeded()
                return

    def _wait_s(self, error: DeliveryError, failures: int) -> float:
        if isinstance(error, Retryable):
            self._health.failed(error, durable=True)
            return RETRY.wait_s(failures, error.retry_after_s, _DRAW)
        # What is refused for good cannot be passed over either: nothing may follow from it.
        denied = error if isinstance(error, Denied) else Denied(str(error), hint="see the reason")
        self._health.denied(denied)
        return RETRY.max_s
