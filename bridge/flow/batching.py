"""
Joining concurrent deliveries into larger ones, while each caller waits for its own outcome.

Nothing is acknowledged early: a caller's `deliver` returns when the joined batch was taken. What is
joined and when is decided by `bridge/flow/accumulator.py`; here is the waiting.
"""

import asyncio
import copy
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import structlog

from bridge import wire
from bridge.core import (
    ACCEPTED,
    NO_METADATA,
    Batch,
    Clock,
    Deadline,
    DeliveryError,
    Interrupted,
    Metadata,
    Origin,
    Permanent,
    Receipt,
    Stage,
    Unavailable,
)
from bridge.flow.accumulator import Accumulator, Flush, Limits, Part, Reason
from bridge.flow.ledger import shares

log = structlog.get_logger()

APART_MAX = 8
"""Callers of a refused joined batch that are delivered one by one at the same time."""

Observe = Callable[[Reason, int, int], None]
"""Told of each flush: why it went, its items and its bytes."""


class _Caller:
    """One `deliver` that waits: how many of its parts are out, and how they ended."""

    __slots__ = ("batch", "errors", "future", "parts", "receipts", "refused_items", "waiting_for")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.parts: list[_Part] = []
        self.waiting_for = 0
        self.receipts: list[Receipt] = []
        self.errors: list[DeliveryError] = []
        self.refused_items = 0

    @property
    def gone(self) -> bool:
        return self.future.done()

    def taken(self, part: "_Part", receipt: Receipt) -> None:
        if part.settled:
            return
        part.settled = True
        if receipt is not ACCEPTED:
            self.receipts.append(receipt)
        self._settle()

    def failed(self, part: "_Part", error: DeliveryError) -> None:
        if part.settled:
            return
        part.settled = True
        # One exception object shared by many waiters would grow a traceback for each of them.
        own = copy.copy(error)
        own.__cause__ = error
        self.errors.append(own)
        if isinstance(error, Permanent):
            self.refused_items += part.items
        self._settle()

    def _settle(self) -> None:
        self.waiting_for -= 1
        if self.waiting_for or self.future.done():
            return
        if self.errors and not self._partly_refused:
            temporary = [error for error in self.errors if not isinstance(error, Permanent)]
            self.future.set_exception((temporary or self.errors)[0])
        else:
            self.future.set_result(self._receipt())

    @property
    def _partly_refused(self) -> bool:
        """
        Whether the sender can be told exactly what was refused instead of "everything".

        Durable data is raised as a whole: its source has a dead letter, which loses nothing.
        """
        return (
            not self.batch.origin.durable
            and 0 < self.refused_items < self.batch.items
            and all(isinstance(error, Permanent) for error in self.errors)
        )

    def _receipt(self) -> Receipt:
        if not self.receipts and not self.errors:
            return ACCEPTED
        messages = [receipt.message for receipt in self.receipts if receipt.message]
        messages += [str(error) for error in self.errors]
        rejected = self.refused_items + sum(receipt.rejected_items for receipt in self.receipts)
        return Receipt(
            rejected,
            "; ".join(dict.fromkeys(messages)),
            sum(receipt.dropped_items for receipt in self.receipts),
            sum(receipt.rejected_apart_items for receipt in self.receipts),
        )


_Part = Part[_Caller]


@dataclass(frozen=True, slots=True)
class Grouping:
    """
    Which callers may be joined.

    Signal and durability must always be equal. With `metadata_keys` (lower case) the values of
    those keys must be, and only they travel on; without, all metadata must be equal. More than
    `groups_max` different combinations at the same time are not joined but passed on singly.
    """

    metadata_keys: tuple[str, ...] = ()
    groups_max: int = 1000

    def key(self, batch: Batch) -> Hashable:
        """What must be equal in one joined batch."""
        return batch.signal, batch.origin.durable, self._metadata_key(batch.metadata)

    def metadata(self, metadata: Metadata) -> Metadata:
        """What of *metadata* travels on."""
        if not self.metadata_keys:
            return metadata
        return {key: metadata[key] for key in self.metadata_keys if key in metadata}

    def _metadata_key(self, metadata: Metadata) -> Hashable:
        if not metadata:
            return ()
        if self.metadata_keys:
            return tuple(metadata.get(key, ()) for key in self.metadata_keys)
        return tuple(sorted(metadata.items()))


class Batching:
    """
    A stage that joins what is delivered to it at the same time.

    On a permanent error a joined batch is delivered again caller by caller, so that one bad
    request cannot spoil its neighbours. Cancelling one caller leaves the joined batch to the
    others; when all callers are gone, it is cancelled.

    Source:
        design rule 9.8
    """

    def __init__(
        self,
        downstream: Stage,
        limits: Limits,
        grouping: Grouping,
        clock: Clock,
        observe: Observe = lambda reason, items, body_bytes: None,
    ) -> None:
        self._downstream = downstream
        self._limits = limits
        self._grouping = grouping
        self._clock = clock
        self._observe = observe
        # What waits, what is under way, and the two ways in which waiting ends.
        self._accumulator: Accumulator[_Caller] = Accumulator(limits)
        self._sends: dict[asyncio.Task[None], Flush[_Caller]] = {}
        self._timer: asyncio.Task[None] | None = None
        self._tick: asyncio.Handle | None = None
        self._stopping = False

    def __repr__(self) -> str:
        return f"Batching({self._accumulator!r}, {len(self._sends)} under way)"

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait for company."""
        return self._accumulator.pending_bytes

    @property
    def groups(self) -> int:
        """Combinations of metadata that wait or are under way."""
        return self._accumulator.groups

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Deliver *batch* together with others and wait for its own outcome.

        Returns:
            The receipt of the joined batch. Items that a backend rejected in a batch of several
            callers cannot be told apart: then only the message says so.

        Raises:
            As downstream raised it, for this caller's data.

        Cancellation:
            Withdraws the batch if it still waits; if it is under way, treat it as not delivered.
        """
        if not batch.items:
            return ACCEPTED  # Empty envelopes are not worth a request (OTLP: SHOULD NOT send).
        key = self._grouping.key(batch)
        if self._stopping or not self._may_group(key):
            return await self._downstream.deliver(self._alone(batch))
        caller = _Caller(batch)
        caller.parts = self._split(caller)
        caller.waiting_for = len(caller.parts)
        self._send(self._accumulator.add(key, caller.parts, self._clock.monotonic()))
        self._arrange()
        try:
            return await caller.future
        finally:
            if caller.waiting_for:
                self._abandon(caller, key)
            # A part knows its caller: left alone, the two would keep the body until a collection,
            # which is rare in a process whose requests are freed by reference count.
            caller.parts = []

    def hurry(self) -> None:
        """Send what waits: whoever fills this stage cannot bring more before it has an outcome."""
        self._send(self._accumulator.take_all(Reason.IDLE))

    async def stop(self, deadline: Deadline) -> None:
        """
        Send what waits and wait for what is under way; at *deadline* give it back as `Interrupted`.
        """
        self._stopping = True
        self._send(self._accumulator.take_all())
        if self._tick is not None:
            self._tick.cancel()
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait([self._timer])
        if self._sends:
            _, late = await asyncio.wait(list(self._sends), timeout=deadline.remaining_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _may_group(self, key: Hashable) -> bool:
        known = self._accumulator.knows(key)
        return known or self._accumulator.groups < self._grouping.groups_max

    def _alone(self, batch: Batch) -> Batch:
        if not self._grouping.metadata_keys:
            return batch
        return Batch(
            batch.signal,
            batch.body,
            batch.items,
            batch.origin,
            self._grouping.metadata(batch.metadata),
        )

    def _split(self, caller: _Caller) -> list[_Part]:
        batch, items_max = caller.batch, self._limits.items_max
        if not items_max or batch.items <= items_max:
            return [Part(caller, batch.body, batch.items)]
        slices = wire.split_by_items(batch.signal, batch.body, items_max)
        return [Part(caller, body, items) for body, items in slices]

    def _arrange(self) -> None:
        """Have somebody look at what waits: at the end of this loop turn, and when it is due."""
        if self._accumulator.pending_bytes == 0:
            return
        if self._tick is None:
            # Not at once: callers that were woken in the same turn shall travel together.
            self._tick = asyncio.get_running_loop().call_soon(self._send_idle)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().create_task(self._send_due())

    def _send_idle(self) -> None:
        self._tick = None
        self._send(self._accumulator.take_idle())

    async def _send_due(self) -> None:
        try:
            while (due_s := self._accumulator.next_due_s()) is not None:
                now_s = self._clock.monotonic()
                if due_s > now_s:
                    await self._clock.sleep(due_s - now_s)
                self._send(self._accumulator.take_due(self._clock.monotonic()))
        finally:
            self._timer = None

    def _send(self, flushes: list[Flush[_Caller]]) -> None:
        for flush in flushes:
            task = asyncio.get_running_loop().create_task(self._run(flush))
            self._sends[task] = flush
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        flush = self._sends.pop(task)
        self._accumulator.finished(flush.key)
        self._arrange()
        # Here and not in the task: it may have been cancelled before its first step.
        if task.cancelled():
            _fail(flush.parts, Interrupted("stopping: the joined batch was given back"))
        elif fault := task.exception():
            log.error("batch_downstream_fault", exc_info=fault)
            error = Unavailable(f"unexpected {type(fault).__name__} behind the batch")
            error.__cause__ = fault
            _fail(flush.parts, error)

    async def _run(self, flush: Flush[_Caller]) -> None:
        batch = self._join(flush.parts)
        self._observe(flush.reason, batch.items, len(batch.body))
        try:
            receipt = await self._downstream.deliver(batch)
        except Permanent as error:
            if len(flush.parts) == 1:
                _fail(flush.parts, error)
            else:
                await self._deliver_apart(flush.parts)
        except DeliveryError as error:
            _fail(flush.parts, error)
        else:
            _take(flush.parts, receipt)

    async def _deliver_apart(self, parts: tuple[_Part, ...]) -> None:
        turns = asyncio.Semaphore(APART_MAX)

        async def deliver(part: _Part) -> None:
            async with turns:
                if part.caller.gone:
                    return
                try:
                    receipt = await self._downstream.deliver(self._join((part,)))
                except DeliveryError as error:
                    part.caller.failed(part, error)
                else:
                    part.caller.taken(part, receipt)

        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(deliver(part))

    def _join(self, parts: tuple[_Part, ...]) -> Batch:
        first: Batch = parts[0].caller.batch
        if len(parts) == 1:
            body, items = parts[0].body, parts[0].items
            # A whole batch keeps its records; a slice of one has no record ranges any more.
            origin = first.origin if body is first.body else _merge_origins([first.origin])
        else:
            body = wire.join([part.body for part in parts])
            items = sum(part.items for part in parts)
            origin = _merge_origins([part.caller.batch.origin for part in parts])
        metadata = self._grouping.metadata(first.metadata) if first.metadata else NO_METADATA
        return Batch(first.signal, body, items, origin, metadata)

    def _abandon(self, caller: _Caller, key: Hashable) -> None:
        mine = set(map(id, caller.parts))
        for part in caller.parts:
            self._accumulator.withdraw(key, part)
        for task, flush in list(self._sends.items()):
            if any(id(part) in mine for part in flush.parts) and all(
                part.caller.gone for part in flush.parts
            ):
                task.cancel()


def _fail(parts: tuple[_Part, ...], error: DeliveryError) -> None:
    for part in parts:
        if not part.caller.gone:
            part.caller.failed(part, error)


def _take(parts: tuple[_Part, ...], receipt: Receipt) -> None:
    items = [part.items for part in parts]
    told = [receipt] if len(parts) == 1 else shares(items, receipt)
    for part, share in zip(parts, told, strict=True):
        if not part.caller.gone:
            part.caller.taken(part, share)


def _merge_origins(origins: list[Origin]) -> Origin:
    """The latest deadline of all; none if nobody waits. Records cannot be told apart any more."""
    sources = list(dict.fromkeys(origin.source for origin in origins))
    deadlines = [origin.deadline for origin in origins if origin.deadline is not None]
    deadline = None
    if len(deadlines) == len(origins):
        deadline = max(deadlines, key=lambda deadline: deadline.at)
    return Origin("+".join(sources[:4]), deadline)
