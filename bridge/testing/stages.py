"""A stage that keeps what it takes, and refuses when the test says so."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from bridge.core import ACCEPTED, Batch, Deadline, Receipt

Outcome = Receipt | BaseException | Callable[[], BaseException]
"""What one call of `deliver` answers; errors are raised afresh, so tracebacks do not pile up."""


class FakeStage:
    """
    The downstream of a test; also a component, so that it may stand as processor or exporter.

    Args:
        script:
            Outcomes of the first calls, in order.
        otherwise:
            The outcome of all calls after them.
    """

    def __init__(self, *script: Outcome, otherwise: Outcome = ACCEPTED) -> None:
        self.otherwise = otherwise
        # What changes: the script that is left, who asked, what was taken, and the gate.
        self._script = deque(script)
        self.offered: list[Batch] = []
        self.taken: list[Batch] = []
        self.cancelled = 0
        self.in_flight = 0
        self.in_flight_max = 0
        self.started = self.stopped = False
        self._open = asyncio.Event()
        self._open.set()
        self._offers = asyncio.Condition()

    @property
    def items(self) -> int:
        """Items of all batches taken."""
        return sum(batch.items for batch in self.taken)

    def answer(self, *script: Outcome) -> None:
        """Add outcomes for the next calls."""
        self._script.extend(script)

    def hold(self) -> None:
        """Let calls wait until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Let the waiting calls go on."""
        self._open.set()

    async def wait_offered(self, count_min: int = 1) -> None:
        """Return once `deliver` was called *count_min* times in all."""
        async with self._offers:
            await self._offers.wait_for(lambda: len(self.offered) >= count_min)

    async def deliver(self, batch: Batch) -> Receipt:
        """Take *batch*, or do what the script says."""
        self.offered.append(batch)
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            async with self._offers:
                self._offers.notify_all()
            await self._open.wait()
            outcome = self._script.popleft() if self._script else self.otherwise
            if isinstance(outcome, Receipt):
                self.taken.append(batch)
                return outcome
            raise _fresh(outcome)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1

    async def start(self) -> None:
        """Note that it was called."""
        self.started = True

    async def stop(self, deadline: Deadline) -> None:
        """Note that it was called."""
        self.stopped = True

    def __repr__(self) -> str:
        return (
            f"FakeStage(offered={len(self.offered)}, taken={len(self.taken)}, "
            f"in_flight={self.in_flight})"
        )


def repeat(outcome: Outcome, times: int) -> Iterable[Outcome]:
    """The same outcome for *times* calls."""
    return [outcome] * times


def _fresh(outcome: BaseException | Callable[[], BaseException]) -> BaseException:
    if not isinstance(outcome, BaseException):
        return outcome()
    copy = outcome.__class__.__new__(outcome.__class__, *outcome.args)
    copy.args = outcome.args
    copy.__dict__.update(outcome.__dict__)
    return copy
