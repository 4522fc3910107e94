"""
The ``memory_limiter`` processor: refuses data while the process is too large.

Admission already bounds what is taken in by bytes; this is the second line, against what no budget
counts. A refusal carries a hint: senders come back, and a Kafka source pauses and tries again.
"""

import asyncio
import ctypes
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

import structlog
from pydantic import Field, model_validator

from bridge.core import (
    Batch,
    Beginner,
    Deadline,
    DeliveryError,
    Outcome,
    Overloaded,
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
from bridge.options import Duration, Options

log = structlog.get_logger()

_MIB = 1024 * 1024

_LIMIT_FILES = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


class MemoryLimiterOptions(Options):
    """Section ``processors.memory_limiter``."""

    PROCESS_TOTALS = (
        "limit_mib",
        "spike_limit_mib",
        "limit_percentage",
        "spike_limit_percentage",
    )

    check_interval: Duration = 1.0
    """Seconds between looks at the memory in use."""

    limit_mib: int = Field(default=0, ge=0)
    """MiB of resident memory (hard limit) that must not be exceeded; goes before the percentage. 0:
    the percentage counts; one of the two must be given."""

    spike_limit_mib: int = Field(default=0, ge=0)
    """MiB below the hard limit at which data is refused; 0 for a fifth of the hard limit."""

    limit_percentage: int = Field(default=0, ge=0, le=100)
    """The hard limit as a percentage of the memory that the container or the machine has. 0:
    `limit_mib` counts."""

    spike_limit_percentage: int = Field(default=0, ge=0, le=100)
    """The distance to the hard limit as a percentage of that memory; 0 for a fifth of the limit."""

    min_gc_interval_when_soft_limited: Duration = 10.0
    """Seconds between garbage collections while data is refused."""

    min_gc_interval_when_hard_limited: Duration = 0.0
    """Seconds between garbage collections above the hard limit; 0 for one at each look."""

    retry_after: Duration = 1.0
    """Seconds after which refused senders are told to come back."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.check_interval <= 0:
            raise ValueError("check_interval must be above 0, 1s is a good choice")
        if not self.limit_mib and not self.limit_percentage:
            raise ValueError("give limit_mib or limit_percentage")
        if self.limit_mib and self.spike_limit_mib >= self.limit_mib:
            raise ValueError("spike_limit_mib must be below limit_mib")
        if self.limit_percentage and self.spike_limit_percentage >= self.limit_percentage:
            raise ValueError("spike_limit_percentage must be below limit_percentage")
        if min(self.min_gc_interval_when_soft_limited, self.min_gc_interval_when_hard_limited) < 0:
            raise ValueError("intervals must not be negative")
        return self

    def limits_bytes(self, memory_bytes: int) -> tuple[int, int]:
        """The soft and the hard limit, given the memory there is."""
        if self.limit_mib:
            hard = self.limit_mib * _MIB
            spike = self.spike_limit_mib * _MIB
        else:
            hard = memory_bytes * self.limit_percentage // 100
            spike = memory_bytes * self.spike_limit_percentage // 100
        return hard - (spike or hard // 5), hard


class MemoryLimiter:
    """
    One ``memory_limiter`` in one pipeline.

    Above the soft limit it refuses and collects garbage now and then; above the hard limit it
    collects more often.
    """

    def __init__(
        self,
        options: MemoryLimiterOptions,
        settings: Settings,
        signal: Signal,
        downstream: Stage,
        *,
        resident_bytes: Callable[[], int] | None = None,
        collect: Callable[[], object] | None = None,
    ) -> None:
        self._options = options
        self._settings = settings
        self._downstream = downstream
        self._beginner = downstream if isinstance(downstream, Beginner) else None
        self._resident_bytes = resident_bytes or resident_memory_bytes
        self._collect = collect or release_memory
        self._soft, self._hard = options.limits_bytes(available_memory_bytes())
        self._accepted, self._refused = (
            settings.metrics.counter(
                f"otelcol_processor_memory_limiter_{outcome}_{signal.items}",
                {"processor": str(settings.id)},
            )
            for outcome in ("accepted", "refused")
        )
        flow = {"processor": str(settings.id), "otel_signal": signal.value}
        self._incoming = settings.metrics.counter("otelcol_processor_incoming_items", flow)
        self._outgoing = settings.metrics.counter("otelcol_processor_outgoing_items", flow)
        # Whether data is refused, since when garbage was not collected, and who looks.
        self._limited = False
        self._collected_s = float("-inf")
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look at the memory once and then regularly."""
        self._settings.report(Status(State.OK))
        self.check()
        self._watch = asyncio.get_running_loop().create_task(self._check_regularly())

    async def stop(self, deadline: Deadline) -> None:
        """Stop looking."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch], timeout=deadline.remaining_s)
            self._watch = None

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Pass *batch* on.

        Raises:
            Overloaded: While the resident memory is above the soft limit.
        """
        self._incoming.add(batch.items)
        self._refuse_if_limited(batch)
        self._accepted.add(batch.items)
        receipt = await self._downstream.deliver(batch)
        self._outgoing.add(batch.items)
        return receipt

    @property
    def begins(self) -> bool:
        """Whether the stage behind can do without a task."""
        return self._beginner is not None and self._beginner.begins

    def begin_delivery(self, batch: Batch, settle: Callable[[Outcome], None]) -> Pending | None:
        """Pass *batch* on without a task, if the stage behind can; refuse it as `deliver` does."""
        if self._beginner is None:
            return None
        items = batch.items
        if self._limited:
            self._incoming.value += items
            self._refuse_if_limited(batch)

        def settled(outcome: Outcome) -> None:
            if isinstance(outcome, Receipt):
                self._outgoing.value += items
            settle(outcome)

        try:
            pending = self._beginner.begin_delivery(batch, settled)
        except DeliveryError:
            self._incoming.value += items
            self._accepted.value += items
            raise
        if pending is not None:
            self._incoming.value += items
            self._accepted.value += items
        return pending

    def _refuse_if_limited(self, batch: Batch) -> None:
        if self._limited:
            self._refused.add(batch.items)
            raise Overloaded(
                f"{self._settings.id}: memory in use is above the limit of "
                f"{self._soft // _MIB} MiB",
                retry_after_s=self._options.retry_after,
            )

    def check(self) -> None:
        """Look at the memory now, collect garbage if that is due, and decide."""
        used = self._resident_bytes()
        if used > self._soft:
            used = self._maybe_collect(used)
        limited = used > self._soft
        if limited == self._limited:
            return
        self._limited = limited
        if limited:
            text = f"{used // _MIB} MiB in use, limit {self._soft // _MIB} MiB: refusing data"
            self._settings.report(
                Status(State.RECOVERABLE, text, "raise limit_mib or send less at a time", "memory")
            )
        else:
            self._settings.report(Status(State.OK, subject="memory"))

    def _maybe_collect(self, used: int) -> int:
        options = self._options
        interval_s = (
            options.min_gc_interval_when_hard_limited
            if used > self._hard
            else options.min_gc_interval_when_soft_limited
        )
        now_s = self._settings.clock.monotonic()
        if now_s - self._collected_s < interval_s:
            return used
        self._collected_s = now_s
        self._collect()
        return self._resident_bytes()

    async def _check_regularly(self) -> None:
        while True:
            await self._settings.clock.sleep(self._options.check_interval)
            try:
                self.check()
            except OSError as error:
                log.warning("memory_check_failed", error=str(error))


def resident_memory_bytes() -> int:
    """Resident memory of this process (Linux: second field of statm, in pages)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def available_memory_bytes() -> int:
    """The container's limit where there is one, otherwise the machine's memory."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _LIMIT_FILES:
        try:
            text = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        # v2 says "max" and v1 a number beyond any machine when there is no limit.
        if text.isdecimal():
            return min(int(text), total)
    return total


def release_memory() -> None:
    """Collect garbage and give free pages back, without which the resident size never falls."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc only.
        trim(0)


FACTORY = ProcessorFactory(
    "memory_limiter", config=MemoryLimiterOptions, create=MemoryLimiter, stability=Stability.BETA
)
