"""Trying a delivery again: when, how long, and for whom it may not be given up."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bridge.core import (
    Batch,
    Clock,
    Denied,
    Interrupted,
    Receipt,
    Retryable,
    Settings,
    State,
    Status,
)
from bridge.options import RetryOnFailure

Send = Callable[[Batch], Awaitable[Receipt]]
"""One attempt to deliver a batch; raises like `bridge.core.Stage.deliver`."""

HINT_SPREAD = 0.1
"""Share that is added at most to a backend's own delay, so that senders do not return as one."""

TROUBLE_AFTER_S = 10.0
"""
Seconds without a success after which failures are a state of the component and no passing noise.
Ten seconds are two attempts of the default schedule.
"""


@dataclass(frozen=True, slots=True)
class Backoff:
    """
    The waits between attempts: exponential, spread, and overridden by the other side's hint.

    All times are seconds; `spread` is the share by which a wait is drawn around its interval.
    """

    initial_s: float
    multiplier: float
    spread: float
    max_s: float
    hint_max_s: float

    @classmethod
    def from_options(cls, options: RetryOnFailure) -> "Backoff":
        """The schedule that ``retry_on_failure`` describes."""
        return cls(
            options.initial_interval,
            options.multiplier,
            options.randomization_factor,
            options.max_interval,
            options.max_retry_after,
        )

    def wait_s(self, failures: int, hint_s: float | None, draw: float) -> float:
        """
        Seconds to wait after the attempt number *failures*, counted from 1.

        Args:
            hint_s:
                The delay that the other side asked for. It replaces the schedule, is never
                undercut, and is cut to `hint_max_s`.
            draw:
                A random number from 0 to 1.
        """
        if hint_s is not None:
            return min(max(hint_s, 0.0), self.hint_max_s) * (1.0 + HINT_SPREAD * draw)
        # The exponent is bounded, since a float overflows after some 1,700 failures.
        interval_s = min(self.initial_s * self.multiplier ** min(failures - 1, 64), self.max_s)
        return interval_s * (1.0 + self.spread * (2.0 * draw - 1.0))


class Health:
    """Turns a stream of outcomes into the few status changes that an operator wants to hear of."""

    def __init__(self, settings: Settings, subject: str = "delivery") -> None:
        self._clock = settings.clock
        self._report = settings.report
        self._subject = subject
        # Since when nothing succeeded, and what was reported last.
        self._failing_since_s: float | None = None
        self._state = State.OK

    def succeeded(self) -> None:
        """Something was delivered."""
        self._failing_since_s = None
        if self._state is not State.OK:
            self._state = State.OK
            self._report(Status(State.OK, subject=self._subject))

    def failed(self, error: Retryable, *, durable: bool) -> None:
        """
        An attempt failed and may be repeated; reported once that lasts.

        Args:
            durable:
                Whether the data is safe at its source: then readiness need not go.
        """
        now_s = self._clock.monotonic()
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        if self._state is State.OK and now_s - self._failing_since_s >= TROUBLE_AFTER_S:
            self._state = State.RECOVERABLE
            self._report(
                Status(
                    State.RECOVERABLE,
                    str(error),
                    subject=self._subject,
                    impedes_readiness=not durable,
                )
            )

    def denied(self, error: Denied) -> None:
        """We are not let in: reported at once, since waiting alone does not mend it."""
        if self._state is not State.PERMANENT:
            self._state = State.PERMANENT
            self._report(Status(State.PERMANENT, str(error), error.hint, self._subject))


class Retrying:
    """
    Repeats *send* until it succeeds, or until whoever waits for the batch stops waiting.

    Data that came in by OTLP has a sender with a deadline: when the next attempt would come too
    late, the last error is raised and the sender repeats. Durable data (from Kafka) is retried
    without end, whatever ``max_elapsed_time`` says, since giving up would lose it; a denial too,
    at the longest interval. `Permanent` errors are never repeated.
    """

    def __init__(
        self,
        send: Send,
        options: RetryOnFailure,
        settings: Settings,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._send = send
        self._options = options
        self._backoff = Backoff.from_options(options)
        self._clock: Clock = settings.clock
        self._draw = draw
        self._health = Health(settings)
        self._retries = settings.metrics.counter(
            "bridge_exporter_retries", {"exporter": str(settings.id)}
        )
        # Waits between attempts, each to be cut short when we stop.
        self._waits: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Deliver *batch*, trying again as the class promises.

        Raises:
            Retryable: If the sender's deadline does not allow another attempt, retrying is
                switched off, or we are stopping (`Interrupted`).
            Permanent: As *send* raised it.
            Denied: As *send* raised it, for data whose sender waits.

        Cancellation:
            Ends the attempt or the wait; treat the batch as not delivered.
        """
        began_s = self._clock.monotonic()
        failures = 0
        while True:
            try:
                receipt = await self._send(batch)
            except (Retryable, Denied) as error:
                failures += 1
                wait_s = self._next_wait_s(batch, error, failures, began_s)
                if wait_s is None:
                    raise
            else:
                self._health.succeeded()
                return receipt
            self._retries.add()
            await self._wait(wait_s)
            if self._stopping:
                raise Interrupted("stopping: the delivery is given back to its source")

    def stop(self) -> None:
        """Give up instead of trying again, at once; attempts that run are not touched."""
        self._stopping = True
        for wait in self._waits:
            wait.cancel()

    async def _wait(self, seconds: float) -> None:
        wait = asyncio.ensure_future(self._clock.sleep(seconds))
        self._waits.add(wait)
        try:
            await asyncio.wait([wait])
        finally:
            wait.cancel()
            self._waits.discard(wait)

    def _next_wait_s(
        self, batch: Batch, error: Retryable | Denied, failures: int, began_s: float
    ) -> float | None:
        """Seconds until the next attempt, or `None` if there is none."""
        deadline = batch.origin.deadline
        if isinstance(error, Denied):
            self._health.denied(error)
            # Somebody must act first, so the longest interval is often enough. A sender that
            # waits is told at once: it cannot outwait a wrong password.
            if not self._options.enabled or deadline is not None or self._stopping:
                return None
            return self._backoff.wait_s(failures, self._backoff.max_s, self._draw())
        self._health.failed(error, durable=deadline is None)
        if not self._options.enabled or self._stopping:
            return None
        wait_s = self._backoff.wait_s(failures, error.retry_after_s, self._draw())
        if deadline is None:
            return wait_s
        elapsed_max_s = self._options.max_elapsed_time
        elapsed_s = self._clock.monotonic() - began_s
        if wait_s >= deadline.remaining_s:
            return None
        if elapsed_max_s and elapsed_s + wait_s > elapsed_max_s:
            return None
        return wait_s
