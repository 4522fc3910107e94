"""Building the ``tail_sampling`` processor."""

import time
from collections.abc import Callable

from bridge.core import ProcessorFactory, Settings, Signal, Stability, Stage
from bridge.kafka import DecisionTopic, connection_kwargs
from bridge.processors._gathering import (
    Bounds,
    Caches,
    Decider,
    DecisionCache,
    Delivery,
    Engine,
    Gathering,
    Telemetry,
    Waits,
)
from bridge.processors.tail_sampling.judge import Juror, PolicyJudge
from bridge.processors.tail_sampling.options import DecisionTopicOptions, TailSamplingOptions
from bridge.processors.tail_sampling.policies import Times, compile_policy
from bridge.processors.tail_sampling.sizing import SizeJudge
from bridge.processors.tail_sampling.telemetry import PREFIX, shared_figures, tally

_MIB = 1024 * 1024

_GIANT_PART = 8
"""
A trace above this part of the memory is decided early: waiting for it would cost so many others.
"""


def build_judge(options: TailSamplingOptions, settings: Settings) -> PolicyJudge:
    """The policies of *options*, ready to be asked."""
    times = Times(settings.clock.monotonic, settings.clock.wall)
    jurors = [
        Juror(
            policy.name,
            compile_policy(policy, times),
            tally(settings, policy.name),
            drops=policy.type == "drop",
        )
        for policy in options.policies
    ]
    return PolicyJudge(jurors, first_match=options.sample_on_first_match, now=time.perf_counter)


def build_engine(
    options: TailSamplingOptions,
    settings: Settings,
    telemetry: Telemetry,
    kind: Callable[..., Decider] = Decider,
) -> Engine:
    """The engine that *options* describe; *kind* makes whoever decides in it."""
    held_bytes_max = options.memory_limit_mib * _MIB
    bounds = Bounds(
        held_bytes_max=held_bytes_max,
        undelivered_bytes_max=held_bytes_max * options.undelivered_percent // 100,
        traces_max=options.num_traces,
        trace_bytes_max=options.maximum_trace_size_bytes,
        trace_bytes_early=held_bytes_max // _GIANT_PART,
    )
    sizes = options.decision_cache
    ingest = options.sampling_strategy == "span-ingest"
    policies = build_judge(_asked_on_entry(options) if ingest else options, settings)
    judge: PolicyJudge | SizeJudge = policies
    if options.maximum_trace_size_bytes and not ingest:
        judge = SizeJudge(policies, options.maximum_trace_size_bytes, telemetry.shared.too_large)
    decider = kind(
        judge,
        Caches(
            DecisionCache(sizes.sampled_cache_size), DecisionCache(sizes.non_sampled_cache_size)
        ),
        bounds,
        telemetry,
        time.perf_counter,
        ask_in_time=not ingest,
    )
    waits = Waits(
        round(options.decision_wait * 1000),
        round(options.decision_wait_after_root_received * 1000),
    )
    return Engine(decider, waits, by_record_time=options.clock == "record", ingest=ingest)


def _asked_on_entry(options: TailSamplingOptions) -> TailSamplingOptions:
    """
    The policies that are asked about spans as they come.

    A drop policy that does not match yet still may: with one nothing is ever passed on at once, as
    in the Collector, and the others need not be asked.
    """
    drops = tuple(policy for policy in options.policies if policy.type == "drop")
    return options.model_copy(update={"policies": drops}) if drops else options


class TailSampling(Gathering):
    """Keeps traces until all of their spans should be there, then lets policies decide."""

    def __init__(
        self,
        options: TailSamplingOptions,
        settings: Settings,
        signal: Signal,
        downstream: Stage,
    ) -> None:
        telemetry = Telemetry(settings, "tail_sampling", shared_figures(settings.metrics))
        engine = build_engine(options, settings, telemetry)
        super().__init__(
            engine,
            telemetry,
            settings,
            downstream,
            Delivery(options.delivery_bytes_max, options.deliveries_in_flight_max),
            drop_at_stop=options.drop_pending_traces_on_shutdown,
            wait_for_room=options.block_on_overflow,
            read_back_s=options.decision_wait + options.clock_slack,
            decisions=_decision_topic(options.decision_topic),
            read_timeout_s=options.decision_topic.read_timeout if options.decision_topic else 0.0,
        )
        settings.metrics.gauge(PREFIX + "sampling_traces_on_memory", None, lambda: engine.undecided)


def _decision_topic(options: DecisionTopicOptions | None) -> DecisionTopic | None:
    if options is None:
        return None
    return DecisionTopic(
        connection_kwargs(options),
        options.topic,
        principal=options.principal,
        span_s=options.time_span,
        create=options.create,
    )


FACTORY = ProcessorFactory(
    "tail_sampling",
    config=TailSamplingOptions,
    create=TailSampling,
    signals=frozenset({Signal.TRACES}),
    stability=Stability.BETA,
)
