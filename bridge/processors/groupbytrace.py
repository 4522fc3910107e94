"""
The ``groupbytrace`` processor: passes a trace on as a whole, some time after its first span.

It is the engine of tail sampling with one policy that samples everything, so it keeps custody of
Kafka records and bounds its memory in the same way.
"""

import time
from typing import Literal, Self

from pydantic import Field, model_validator

from bridge.core import Counter, Histogram, ProcessorFactory, Settings, Signal, Stability, Stage
from bridge.options import Duration, Options
from bridge.processors._gathering import (
    Bounds,
    Caches,
    Decider,
    Decision,
    DecisionCache,
    Delivery,
    Engine,
    Gathering,
    KeepAll,
    Shared,
    Telemetry,
    Waits,
)

_MIB = 1024 * 1024
_GIANT_PART = 8  # A trace above this part of the memory is passed on early.


class GroupByTraceOptions(Options):
    """Section ``processors.groupbytrace``."""

    PROCESS_TOTALS = (
        "num_traces",
        "memory_limit_mib",
    )

    wait_duration: Duration = 1.0
    """Seconds from the first span of a trace to its passing on, on the clock that `clock` names."""

    num_traces: int = Field(default=1_000_000, ge=1)
    """Traces that wait at the same time; above it the oldest are passed on early."""

    num_workers: int = Field(default=1, ge=1)
    """Accepted for compatibility: one loop does the work of a process."""

    discard_orphans: bool = False
    """Refused if true, as in the Collector: it is not implemented there either."""

    store_on_disk: bool = False
    """Refused if true: what waits stays readable in Kafka."""

    clock: Literal["record", "wall"] = "record"
    """How the wait is measured for data from Kafka; see ``tail_sampling.clock``."""

    memory_limit_mib: int = Field(default=512, ge=8)
    """MiB for traces that are held; above it the oldest are passed on early."""

    @model_validator(mode="after")
    def _supported(self) -> Self:
        if self.discard_orphans:
            raise ValueError("discard_orphans is not supported, as in the Collector: remove it")
        if self.store_on_disk:
            raise ValueError("store_on_disk is not supported: what waits stays readable in Kafka")
        if self.wait_duration <= 0:
            raise ValueError("wait_duration must be above 0")
        return self


class GroupByTrace(Gathering):
    """Keeps spans until the rest of their trace should be there, then passes all of them on."""

    def __init__(
        self,
        options: GroupByTraceOptions,
        settings: Settings,
        signal: Signal,
        downstream: Stage,
    ) -> None:
        telemetry = Telemetry(settings, "groupbytrace", _shared(settings))
        held_bytes_max = options.memory_limit_mib * _MIB
        decider = Decider(
            KeepAll(),
            # A span that comes later begins another group, as in the Collector.
            Caches(DecisionCache(0), DecisionCache(0)),
            Bounds(
                held_bytes_max=held_bytes_max,
                undelivered_bytes_max=held_bytes_max // 2,
                traces_max=options.num_traces,
                trace_bytes_early=held_bytes_max // _GIANT_PART,
            ),
            telemetry,
            time.perf_counter,
            ask_in_time=True,
        )
        engine = Engine(
            decider,
            Waits(round(options.wait_duration * 1000), 0),
            by_record_time=options.clock == "record",
        )
        super().__init__(
            engine,
            telemetry,
            settings,
            downstream,
            Delivery(),
            read_back_s=options.wait_duration,
        )
        settings.metrics.gauge(
            "otelcol_processor_groupbytrace_num_traces_in_memory", None, lambda: engine.undecided
        )


def _shared(settings: Settings) -> Shared:
    """The Collector counts what it passes on; the rest of the figures nobody asks for."""
    unseen = Histogram(())
    released = settings.metrics.counter("otelcol_processor_groupbytrace_traces_released")
    return Shared(
        decisions=dict.fromkeys(Decision, released),
        new_traces=Counter(),
        early_releases={True: Counter(), False: Counter()},
        late_age=unseen,
        removal_age=unseen,
        timer=unseen,
        too_large=Counter(),
    )


FACTORY = ProcessorFactory(
    "groupbytrace",
    config=GroupByTraceOptions,
    create=GroupByTrace,
    signals=frozenset({Signal.TRACES}),
    stability=Stability.BETA,
)
