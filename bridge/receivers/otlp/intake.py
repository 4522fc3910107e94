"""From a request's bytes to an acknowledged batch, alike for both transports."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from bridge.core import (
    ACCEPTED,
    NO_METADATA,
    SETTLED,
    Batch,
    Beginner,
    Clock,
    Deadline,
    DeliveryError,
    Malformed,
    Metadata,
    Origin,
    Outcome,
    Pending,
    Permanent,
    Receipt,
    Settings,
    Signal,
    Stage,
    TooLarge,
)
from bridge.flow import Account, Column
from bridge.http2 import Field
from bridge.receivers.otlp.status import Verdict
from bridge.wire import VALUE_DEPTH_MAX, RequestLimits, count_items, count_many

OUTCOMES = (
    "ok",
    "partial",
    "malformed",
    "too_large",
    "overloaded",
    "unavailable",
    "refused",
    "denied",
    "expired",
    "failed",
    "unauthenticated",
    "unsupported",
)
"""How a request may end, as the label of ``bridge_receiver_requests``."""

_STEPS_A_SECOND = 20
"""
Deadlines are rounded down to a twentieth of a second, so that the requests of one share an origin:
making one for each costs a small request a tenth of its time.
"""


class Whole(Protocol):
    """A request that has arrived whole, as `WholeCall` of HTTP/2 and `WholeRequest` of HTTP/1."""

    message: bytes
    items: int
    answer_by: float
    pending: Pending | None

    def settle(self, outcome: Outcome) -> None:
        """Take how its delivery ended."""
        ...

    def fail(self, error: Exception) -> None:
        """Take what beginning its delivery raised."""
        ...


_Call = TypeVar("_Call", bound=Whole)


class Outcomes:
    """Counts requests of one transport by how they ended."""

    def __init__(self, settings: Settings, transport: str) -> None:
        labels = {"receiver": str(settings.id), "transport": transport}
        self._counters = {
            outcome: settings.metrics.counter(
                "bridge_receiver_requests", {**labels, "outcome": outcome}
            )
            for outcome in OUTCOMES
        }
        self.ok = self._counters["ok"]
        self.partial = self._counters["partial"]

    def count(self, verdict: Verdict) -> Verdict:
        """Count *verdict* and give it back."""
        self._counters[verdict.outcome].value += 1
        return verdict


class Intake:
    """
    Takes the requests of one signal that came by one transport.

    Args:
        items_max: Spans, data points or log records of one request, and its envelopes.
        value_depth_max: Lists and maps in each other.
        account: Of the receiver and the signal.
    """

    def __init__(
        self,
        signal: Signal,
        stage: Stage,
        settings: Settings,
        transport: str,
        items_max: int,
        account: Account,
        value_depth_max: int = VALUE_DEPTH_MAX,
    ) -> None:
        self.signal = signal
        self.limits = RequestLimits.of(items_max, value_depth_max)
        self._beginner = stage if isinstance(stage, Beginner) else None
        self._items_max = items_max
        self._stage = stage
        self._source = str(settings.id)
        self._clock: Clock = settings.clock
        labels = {"receiver": str(settings.id), "transport": transport}
        counter, items = settings.metrics.counter, signal.items
        self._accepted = counter(f"otelcol_receiver_accepted_{items}", labels)
        self._refused = counter(f"otelcol_receiver_refused_{items}", labels)
        self._failed = counter(f"otelcol_receiver_failed_{items}", labels)
        self._account = account
        self._received = account.counter(Column.RECEIVED)
        self._acknowledged = account.counter(Column.ACKNOWLEDGED)
        # What changes: how many items are being delivered, and the origin of the latest batch.
        self._in_flight = 0
        self._origin = Origin(self._source)
        self._origin_step: int | None = None
        account.watch(self.items_in_flight)

    def items_in_flight(self) -> int:
        """Items of requests that are being delivered."""
        return self._in_flight

    async def take(
        self, body: bytes, deadline_at: float, metadata: Metadata = NO_METADATA
    ) -> Receipt:
        """
        Deliver *body* and wait for its acknowledgement.

        Raises:
            Malformed: If the bytes are no request of this signal, or hold values nested too deep.
            TooLarge: If it holds more items, envelopes or fields than one request may.
            DeliveryError: What the stage behind says.
        """
        batch = self._to_batch(body, deadline_at, metadata)
        if batch is None:
            return ACCEPTED
        items = batch.items
        self._received.value += items
        self._in_flight += items
        try:
            receipt = await self._stage.deliver(batch)
        except (Exception, asyncio.CancelledError) as error:
            self.left(items, error)
            raise
        self.left(items, receipt)
        return receipt

    def begin(
        self,
        body: bytes,
        deadline_at: float,
        metadata: Metadata,
        settle: Callable[[Outcome], None],
    ) -> Pending | None:
        """
        Do what `take` does without a task, as `Beginner.begin_delivery` describes.

        Raises:
            Malformed, TooLarge, DeliveryError: As `take`; *settle* is not called then.
        """
        if self._beginner is None or not self._beginner.begins:
            return None
        batch = self._to_batch(body, deadline_at, metadata)
        if batch is None:
            settle(ACCEPTED)
            return SETTLED
        items = batch.items
        self._in_flight += items
        try:
            pending = self._beginner.begin_delivery(batch, partial(self._settled, items, settle))
        except Exception as error:
            self._account.count(Column.RECEIVED, items)
            self.left(items, error)
            raise
        if pending is None:
            self._in_flight -= items  # Whoever asked calls `take`, which begins again.
        else:
            self._received.value += items
        return pending

    def begin_calls(
        self, calls: list[_Call], metadata_of: Callable[[_Call], Metadata] | None
    ) -> list[_Call]:
        """
        Begin to deliver each of *calls*; each settles once, and `left` is for whoever answers it.

        Returns:
            Those that were not touched. `begin` and `take` say why.
        """
        beginner = self._beginner
        if beginner is None or not beginner.begins:
            return calls
        rest: list[_Call] = []
        counts = count_many(self.signal, [call.message for call in calls], self.limits)
        received = 0
        try:
            for call, items in zip(calls, counts, strict=True):
                if not items or items > self._items_max:
                    rest.append(call)
                elif self._begin_call(beginner, call, items, metadata_of):
                    received += items
                else:
                    rest.append(call)
        finally:
            self._received.value += received
        return rest

    def _begin_call(
        self,
        beginner: Beginner,
        call: _Call,
        items: int,
        metadata_of: Callable[[_Call], Metadata] | None,
    ) -> bool:
        """Whether *call* is under way or has settled."""
        metadata = NO_METADATA if metadata_of is None else metadata_of(call)
        origin = self._origin_until(call.answer_by)
        batch = Batch(self.signal, call.message, items, origin, metadata)
        call.items = items
        self._in_flight += items
        try:
            pending = beginner.begin_delivery(batch, call.settle)
        except Exception as error:  # noqa: BLE001 - the call fails, and whoever answers it logs
            call.fail(error)
            return True
        if pending is None:
            self._in_flight -= items
            return False
        call.pending = pending
        call.message = b""
        return True

    def accepted(self, items: int) -> None:
        """Count *items* whose custody has passed entirely."""
        self._in_flight -= items
        self._accepted.value += items
        self._acknowledged.value += items

    def _settled(self, items: int, settle: Callable[[Outcome], None], outcome: Outcome) -> None:
        self.left(items, outcome)
        settle(outcome)

    def left(self, items: int, outcome: Receipt | BaseException | None) -> None:
        """Count how *items* ended; `None` and a cancellation say that nobody waited for it."""
        if outcome is ACCEPTED:
            self.accepted(items)
            return
        self._in_flight -= items
        if isinstance(outcome, Receipt):
            rejected = outcome.rejected_items
            self._refused.value += rejected
            self._accepted.value += items - rejected
            self._acknowledged.value += items - rejected
            self._account.count(Column.INVALID, rejected)
        elif isinstance(outcome, DeliveryError | asyncio.CancelledError) or outcome is None:
            self._refused.value += items
            never = isinstance(outcome, Permanent)
            self._account.count(Column.INVALID if never else Column.REFUSED, items)
        else:
            self._failed.value += items
            self._account.count(Column.REFUSED, items)

    def _to_batch(self, body: bytes, deadline_at: float, metadata: Metadata) -> Batch | None:
        """The batch that *body* is; `None` if it holds nothing."""
        try:
            items = count_items(self.signal, body, self.limits)
        except (Malformed, TooLarge):
            # Nobody knows how many items it was to be: it counts as one.
            self._refuse(1)
            raise
        if not items:
            return None
        if items > self._items_max:
            self._refused.value += items
            self._refuse(items)
            raise TooLarge(
                f"the request holds {items:,} {self.signal.items}, at most {self._items_max:,} are "
                "taken at once: send smaller batches or raise max_items_per_request"
            )
        return Batch(self.signal, body, items, self._origin_until(deadline_at), metadata)

    def _origin_until(self, deadline_at: float) -> Origin:
        step = int(deadline_at * _STEPS_A_SECOND)
        if step != self._origin_step:
            deadline = Deadline(min(deadline_at, step / _STEPS_A_SECOND), self._clock)
            self._origin, self._origin_step = Origin(self._source, deadline), step
        return self._origin

    def _refuse(self, items: int) -> None:
        self._account.count(Column.RECEIVED, items)
        self._account.count(Column.INVALID, items)


def to_metadata(*groups: tuple[Field, ...]) -> Metadata:
    """Header fields, lower-case, as the metadata of a batch."""
    metadata: dict[str, tuple[str, ...]] = {}
    for fields in groups:
        for name, value in fields:
            key = name.decode("latin-1")
            metadata[key] = (*metadata.get(key, ()), value.decode("latin-1"))
    return metadata
