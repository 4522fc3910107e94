"""From a request's bytes to an acknowledged batch, alike for both transports."""

import asyncio

from bridge.core import (
    ACCEPTED,
    NO_METADATA,
    Batch,
    Clock,
    Deadline,
    DeliveryError,
    Metadata,
    Origin,
    Receipt,
    Settings,
    Signal,
    Stage,
    TooLarge,
)
from bridge.http2 import Field
from bridge.receivers.otlp.status import Verdict
from bridge.wire import VALUE_DEPTH_MAX, RequestLimits, count_items

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
    """

    def __init__(
        self,
        signal: Signal,
        stage: Stage,
        settings: Settings,
        transport: str,
        items_max: int,
        value_depth_max: int = VALUE_DEPTH_MAX,
    ) -> None:
        self.signal = signal
        self.limits = RequestLimits.of(items_max, value_depth_max)
        self._items_max = items_max
        self._stage = stage
        self._source = str(settings.id)
        self._clock: Clock = settings.clock
        labels = {"receiver": str(settings.id), "transport": transport}
        counter, items = settings.metrics.counter, signal.items
        self._accepted = counter(f"otelcol_receiver_accepted_{items}", labels)
        self._refused = counter(f"otelcol_receiver_refused_{items}", labels)
        self._failed = counter(f"otelcol_receiver_failed_{items}", labels)

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
        items = count_items(self.signal, body, self.limits)
        if not items:
            return ACCEPTED
        if items > self._items_max:
            self._refused.value += items
            raise TooLarge(
                f"the request holds {items:,} {self.signal.items}, at most {self._items_max:,} are "
                "taken at once: send smaller batches or raise max_items_per_request"
            )
        origin = Origin(self._source, Deadline(deadline_at, self._clock))
        batch = Batch(self.signal, body, items, origin, metadata)
        try:
            receipt = await self._stage.deliver(batch)
        except (DeliveryError, asyncio.CancelledError):
            self._refused.value += items
            raise
        except Exception:
            self._failed.value += items
            raise
        rejected_items = receipt.rejected_items
        if rejected_items:
            self._refused.value += rejected_items
        self._accepted.value += items - rejected_items
        return receipt


def to_metadata(*groups: tuple[Field, ...]) -> Metadata:
    """Header fields, lower-case, as the metadata of a batch."""
    metadata: dict[str, tuple[str, ...]] = {}
    for fields in groups:
        for name, value in fields:
            key = name.decode("latin-1")
            metadata[key] = (*metadata.get(key, ()), value.decode("latin-1"))
    return metadata
