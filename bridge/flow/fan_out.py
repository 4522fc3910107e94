"""Delivering one batch to several stages, each on its own."""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import structlog

from bridge.core import (
    ACCEPTED,
    Batch,
    Clock,
    Counter,
    DeliveryError,
    Denied,
    Malformed,
    Metrics,
    Permanent,
    Receipt,
    Refused,
    Retryable,
    Stage,
    TooLarge,
    Unavailable,
)
from bridge.flow.branch_custody import SharedCustody
from bridge.flow.retrying import Backoff

log = structlog.get_logger()

BRANCH_BACKOFF = Backoff(initial_s=0.5, multiplier=1.5, spread=0.5, max_s=30.0, hint_max_s=300.0)
"""
For branches that give an error back instead of retrying themselves (a memory limiter, an exporter
without ``retry_on_failure``); exporters with it retry by their own schedule.
"""


@dataclass(slots=True)
class _Branch:
    name: str
    stage: Stage
    retries: Counter
    refused_items: Counter
    waited_s: Counter
    takes_context: bool


@dataclass(slots=True)
class _Outcome:
    """How a branch ended: `receipt` or `error`, and when."""

    branch: _Branch
    ended_s: float
    receipt: Receipt = ACCEPTED
    error: DeliveryError | None = None


class FanOut:
    """
    A stage that hands each batch to all of its branches at once.

    Each branch is retried on its own and none is delivered twice because of another; the caller
    waits for the slowest, which ``bridge_fan_out_waited_seconds`` names.

    - Durable data (from Kafka) is retried in each branch without end, so the source never has to
      deliver it again. If a branch refuses it for good, the others still take it; then the refusal
      is raised with the branch's name, and the source puts the batch into its dead letter.
    - Data whose sender waits (OTLP): the answer is an error only if a branch is unfinished at the
      deadline, or all refuse for good. The sender then repeats, and branches that had finished get
      duplicates: OTLP has no way to address one of them. What only some branches refuse for good
      is counted and named in the receipt's message, since a repetition would not mend it.

    Source:
        design rule 9.12; OTLP specification, multi-destination exporting
    """

    def __init__(
        self,
        name: str,
        branches: Mapping[str, Stage],
        *,
        clock: Clock,
        metrics: Metrics,
        backoff: Backoff = BRANCH_BACKOFF,
        draw: Callable[[], float] = random.random,
        context: Collection[str] = (),
    ) -> None:
        """
        Args:
            name:
                Where the branches part: the pipeline or the receiver.
            branches:
                The stages by the name that metrics, logs and errors call them.
            context:
                Names of the branches that get records which were finished before; the others
                would deliver them again.
        """
        self._name = name
        self._clock = clock
        self._backoff = backoff
        self._draw = draw
        self._branches = tuple(
            _branch(name, branch, stage, metrics, takes_context=branch in context)
            for branch, stage in branches.items()
        )

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Deliver *batch* to every branch and wait for all of them.

        Returns:
            The largest count of rejected items of any branch, and the messages of all.

        Raises:
            Retryable: If a branch was unfinished at the sender's deadline.
            Denied: If a branch was denied and the sender waits.
            Permanent: If all branches refused the batch, or one did and the batch is durable.

        Cancellation:
            Cancels every branch that is unfinished; finished ones keep what they took.
        """
        origin, shared = batch.origin, None
        branches = self._branches
        if origin.context:
            branches = tuple(branch for branch in branches if branch.takes_context)
        views: Iterable[Batch] = [batch] * len(branches)
        if origin.custody is not None and not origin.context:
            shared = SharedCustody(origin.custody, batch, len(branches))
            views = shared.views(batch)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._run(number, branch, view, shared))
                    for number, (branch, view) in enumerate(zip(branches, views, strict=True))
                ]
        finally:
            if shared is not None:
                shared.close()
        return self._answer(batch, [task.result() for task in tasks])

    async def _run(
        self, number: int, branch: _Branch, batch: Batch, shared: SharedCustody | None
    ) -> _Outcome:
        failures = 0
        while True:
            try:
                receipt = await self._attempt(branch, batch)
            except (Retryable, Denied) as error:
                failures += 1
                wait_s = self._wait_s(batch, error, failures)
                if wait_s is None:
                    return _Outcome(branch, self._clock.monotonic(), error=error)
            except DeliveryError as error:
                branch.refused_items.add(batch.items)
                return _Outcome(branch, self._clock.monotonic(), error=error)
            else:
                if shared is not None:
                    shared.complete(number)
                return _Outcome(branch, self._clock.monotonic(), receipt)
            branch.retries.add()
            await self._clock.sleep(wait_s)

    async def _attempt(self, branch: _Branch, batch: Batch) -> Receipt:
        try:
            return await branch.stage.deliver(batch)
        except DeliveryError:
            raise
        except Exception as error:
            # A fault of one branch must neither cancel its neighbours nor lose the batch.
            log.exception("fan_out_branch_fault", fan_out=self._name, branch=branch.name)
            raise Unavailable(f"{branch.name}: unexpected {type(error).__name__}") from error

    def _wait_s(self, batch: Batch, error: Retryable | Denied, failures: int) -> float | None:
        deadline = batch.origin.deadline
        if isinstance(error, Denied):
            if deadline is not None:
                return None
            return self._backoff.wait_s(failures, self._backoff.max_s, self._draw())
        wait_s = self._backoff.wait_s(failures, error.retry_after_s, self._draw())
        if deadline is not None and wait_s >= deadline.remaining_s:
            return None
        return wait_s

    def _answer(self, batch: Batch, outcomes: list[_Outcome]) -> Receipt:
        self._name_the_slowest(outcomes)
        unfinished = [o for o in outcomes if isinstance(o.error, Retryable | Denied)]
        refused = [o for o in outcomes if isinstance(o.error, Permanent)]
        if unfinished:
            raise _unfinished(unfinished)
        if refused and (batch.origin.durable or len(refused) == len(outcomes)):
            raise _refused(refused)
        messages = [f"{o.branch.name}: {o.error}" for o in refused]
        messages += [o.receipt.message for o in outcomes if o.receipt.message]
        receipts = [outcome.receipt for outcome in outcomes]
        # What one branch delivers has arrived, whatever a rule of another says.
        dropped = min(receipt.dropped_items for receipt in receipts)
        rejected = max(receipt.rejected_items for receipt in receipts)
        apart = max(receipt.rejected_apart_items for receipt in receipts)
        if not (messages or dropped or rejected or apart):
            return ACCEPTED
        return Receipt(rejected, "; ".join(messages), dropped, apart)

    def _name_the_slowest(self, outcomes: list[_Outcome]) -> None:
        if len(outcomes) < 2:
            return
        *_, second, last = sorted(outcomes, key=lambda outcome: outcome.ended_s)
        last.branch.waited_s.add(last.ended_s - second.ended_s)


def _branch(
    fan_out: str, name: str, stage: Stage, metrics: Metrics, *, takes_context: bool
) -> _Branch:
    labels = {"fan_out": fan_out, "branch": name}
    return _Branch(
        name,
        stage,
        retries=metrics.counter("bridge_fan_out_retries", labels),
        refused_items=metrics.counter("bridge_fan_out_refused_items", labels),
        waited_s=metrics.counter("bridge_fan_out_waited_seconds", labels),
        takes_context=takes_context,
    )


def _unfinished(outcomes: list[_Outcome]) -> DeliveryError:
    """One error for all unfinished branches: what passes by itself hides no denial."""
    text = "; ".join(f"{outcome.branch.name}: {outcome.error}" for outcome in outcomes)
    causes = [outcome.error for outcome in outcomes]
    for cause in causes:
        if isinstance(cause, Denied):
            return _chain(Denied(text, hint=cause.hint), cause)
    hints = [
        cause.retry_after_s
        for cause in causes
        if isinstance(cause, Retryable) and cause.retry_after_s is not None
    ]
    return _chain(Unavailable(text, retry_after_s=max(hints, default=None)), causes[0])


def _refused(outcomes: list[_Outcome]) -> DeliveryError:
    text = "; ".join(f"{outcome.branch.name}: {outcome.error}" for outcome in outcomes)
    cause = outcomes[0].error
    for kind in (Malformed, TooLarge):
        if isinstance(cause, kind):
            return _chain(kind(text), cause)
    return _chain(Refused(text), cause)


def _chain(error: DeliveryError, cause: BaseException | None) -> DeliveryError:
    error.__cause__ = cause
    return error
