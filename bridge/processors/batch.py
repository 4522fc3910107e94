"""
The ``batch`` processor: joins concurrent deliveries, and answers each when its data was taken.

Unlike the Collector's it acknowledges nothing early and loses nothing in a crash. `timeout` is an
upper bound of the wait: data goes out at once when nothing is under way downstream.
"""

from collections.abc import Callable
from typing import Self

from pydantic import Field, model_validator

from bridge.core import (
    Batch,
    Beginner,
    Deadline,
    DeliveryError,
    Outcome,
    Pending,
    ProcessorFactory,
    Receipt,
    Settings,
    Signal,
    Stability,
    Stage,
    State,
    Status,
)
from bridge.flow import Batching, Grouping, Limits, Reason
from bridge.options import Duration, Options

_MIB = 1024 * 1024
_GROUPS_UNLIMITED = 1_000_000


class BatchOptions(Options):
    """Section ``processors.batch``."""

    PROCESS_TOTALS = ("pending_max_mib",)

    timeout: Duration = 0.2
    """Seconds that data waits for company at most. 0 sends everything in the turn it came in."""

    send_batch_size: int = Field(default=8192, ge=0)
    """Items (spans, data points, log records) at which a batch goes without waiting."""

    send_batch_max_size: int = Field(default=0, ge=0)
    """Items that no batch exceeds, larger requests are split; 0 for no limit."""

    send_batch_max_bytes: int = Field(default=8 * _MIB, ge=1024)
    """
    Bytes of OTLP protobuf at which a batch goes and which joining never exceeds. 8 MiB stay well
    below the 64 MiB that OTLP servers take at least; one larger request passes as it is.
    """

    pending_max_mib: int = Field(default=64, ge=1)
    """MiB that wait for company in all groups together; above it the oldest group goes at once."""

    metadata_keys: tuple[str, ...] = ()
    """
    Request metadata whose values must be equal for data to be joined; only these travel on. Empty
    keeps all metadata and joins only what has equal metadata. Case does not matter.
    """

    metadata_cardinality_limit: int = Field(default=1000, ge=0)
    """Combinations of metadata at the same time; more are passed on singly. 0 for no limit."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.timeout < 0:
            raise ValueError("timeout must not be negative")
        if 0 < self.send_batch_max_size < self.send_batch_size:
            raise ValueError(
                f"send_batch_max_size {self.send_batch_max_size} is below "
                f"send_batch_size {self.send_batch_size}"
            )
        lower = [key.lower() for key in self.metadata_keys]
        for key in lower:
            if lower.count(key) > 1:
                raise ValueError(f"metadata_keys names {key} twice")
        return self

    def limits(self) -> Limits:
        """The sizes and the wait, as the accumulator takes them."""
        return Limits(
            items=self.send_batch_size,
            items_max=self.send_batch_max_size,
            body_bytes=self.send_batch_max_bytes,
            timeout_s=self.timeout,
            pending_bytes_max=self.pending_max_mib * _MIB,
        )


class BatchProcessor:
    """
    One ``batch`` in one pipeline.

    `pass_through` is set by whoever assembles the pipeline where joining would only add a wait:
    the stage behind joins by itself. Batches then pass untouched. `keep_records` is set where a
    stage behind keeps records one by one (a sampler): batches from Kafka then pass untouched, since
    joined ones cannot tell any more whose offsets they hold.
    """

    def __init__(
        self, options: BatchOptions, settings: Settings, signal: Signal, downstream: Stage
    ) -> None:
        self.pass_through = False
        self.keep_records = False
        self._downstream = downstream
        self._beginner = downstream if isinstance(downstream, Beginner) else None
        self._report = settings.report
        metrics = settings.metrics
        labels = {"processor": str(settings.id)}
        self._triggers = {
            Reason.SIZE: metrics.counter("otelcol_processor_batch_batch_size_trigger_send", labels),
            Reason.TIMEOUT: metrics.counter("otelcol_processor_batch_timeout_trigger_send", labels),
            Reason.IDLE: metrics.counter("bridge_processor_batch_idle_trigger_send", labels),
            Reason.MEMORY: metrics.counter("bridge_processor_batch_memory_trigger_send", labels),
            Reason.STOP: metrics.counter("bridge_processor_batch_stop_trigger_send", labels),
        }
        self._sizes = metrics.histogram("otelcol_processor_batch_batch_send_size", labels)
        self._sizes_bytes = metrics.histogram(
            "otelcol_processor_batch_batch_send_size_bytes", labels
        )
        flow = {**labels, "otel_signal": signal.value}
        self._incoming = metrics.counter("otelcol_processor_incoming_items", flow)
        self._outgoing = metrics.counter("otelcol_processor_outgoing_items", flow)
        keys = tuple(key.lower() for key in options.metadata_keys)
        grouping = Grouping(keys, options.metadata_cardinality_limit or _GROUPS_UNLIMITED)
        self._batching = Batching(
            downstream, options.limits(), grouping, settings.clock, self._observe
        )
        here = {**labels, "pipeline": settings.pipeline}
        metrics.gauge(
            "otelcol_processor_batch_metadata_cardinality", here, lambda: self._batching.groups
        )
        metrics.gauge(
            "bridge_processor_batch_pending_bytes", here, lambda: self._batching.pending_bytes
        )

    async def start(self) -> None:
        """Nothing to open."""
        self._report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Send what waits and wait for its outcome until *deadline*."""
        await self._batching.stop(deadline)

    async def deliver(self, batch: Batch) -> Receipt:
        """Deliver *batch* joined with others; see `bridge.flow.Batching.deliver`."""
        self._incoming.add(batch.items)
        whole = self.pass_through or (self.keep_records and batch.origin.custody is not None)
        stage: Stage = self._downstream if whole else self._batching
        receipt = await stage.deliver(batch)
        self._outgoing.add(batch.items)
        return receipt

    @property
    def begins(self) -> bool:
        """Whether batches pass through to a stage that can do without a task."""
        return self.pass_through and self._beginner is not None and self._beginner.begins

    def begin_delivery(self, batch: Batch, settle: Callable[[Outcome], None]) -> Pending | None:
        """Pass *batch* on without a task where nothing is joined here."""
        if not self.pass_through or self._beginner is None:
            return None

        def settled(outcome: Outcome) -> None:
            if isinstance(outcome, Receipt):
                self._outgoing.value += batch.items
            settle(outcome)

        try:
            pending = self._beginner.begin_delivery(batch, settled)
        except DeliveryError:
            self._incoming.value += batch.items
            raise
        if pending is not None:
            self._incoming.value += batch.items
        return pending

    def hurry(self) -> None:
        """Send what waits now: the source cannot bring more before it has an outcome."""
        self._batching.hurry()

    def _observe(self, reason: Reason, items: int, body_bytes: int) -> None:
        self._triggers[reason].add()
        self._sizes.observe(items)
        self._sizes_bytes.observe(body_bytes)


FACTORY = ProcessorFactory(
    "batch", config=BatchOptions, create=BatchProcessor, stability=Stability.BETA
)
