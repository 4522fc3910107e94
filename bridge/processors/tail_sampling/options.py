"""Section ``processors.tail_sampling``."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bridge.kafka import ClientConfig
from bridge.options import Duration, Options
from bridge.processors.tail_sampling.policy_options import PolicyOptions


class DecisionCacheOptions(Options):
    """Section ``decision_cache``: what was decided, for spans that come later."""

    sampled_cache_size: int = Field(default=100_000, ge=0)
    """
    Sampled traces that are remembered, the most recently used ones; up to twice as many may be.
    0 for none: a late span then starts a trace of its own. An entry costs about 110 bytes.
    """

    non_sampled_cache_size: int = Field(default=200_000, ge=0)
    """The same for traces that were not sampled."""


class DecisionTopicOptions(ClientConfig):
    """Section ``decision_topic``: a Kafka topic with what was decided, read back on assignment."""

    topic: str = Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    """The topic; its partitions are those of the topic that traces are read from."""

    create: bool = True
    """
    Make it if it does not exist, with as many partitions as the source and
    ``cleanup.policy=compact,delete``; the right to create topics is needed then.
    """

    time_span: Duration = Field(default=600.0, gt=0)
    """
    Seconds back from now whose decisions are read when a partition is assigned, and for which a
    topic that is made keeps them. How late spans may be; the caches must have room for as many.
    """

    read_timeout: Duration = Field(default=20.0, gt=0)
    """Seconds for reading them; afterwards the partition begins without, counted and logged."""

    @model_validator(mode="after")
    def _outlives_us(self) -> Self:
        if "embedded" in self.brokers:
            raise ValueError(
                "brokers: the embedded broker ends with this process, and its decisions with it"
            )
        return self


class TailSamplingOptions(Options):
    """Section ``processors.tail_sampling``."""

    PROCESS_TOTALS = (
        "num_traces",
        "memory_limit_mib",
    )

    decision_wait: Duration = 30.0
    """Seconds from the first span of a trace to the decision, on the clock that `clock` names."""

    decision_wait_after_root_received: Duration = 0.0
    """Seconds from the root span to the decision if that is sooner; 0 for `decision_wait` only."""

    num_traces: int = Field(default=0, ge=0)
    """
    Undecided traces at the same time; 0 for no limit, `memory_limit_mib` bounds them. Over it the
    oldest are decided early, on what is there. The Collector's 50,000 drops them instead, and is
    reached within seconds when a backlog is read.
    """

    block_on_overflow: bool = False
    """
    At `num_traces`, let OTLP senders wait for room instead of deciding early. Data from Kafka
    is decided early all the same: its clock stands while its partition waits.
    """

    expected_new_traces_per_sec: int = Field(default=0, ge=0)
    """Accepted for compatibility: nothing is allocated beforehand."""

    decision_cache: DecisionCacheOptions = DecisionCacheOptions()
    """Decisions that late spans follow. On by default, unlike in the Collector."""

    sample_on_first_match: bool = False
    """Ask no further policy once one samples the trace."""

    sampling_strategy: Literal["trace-complete", "span-ingest"] = "trace-complete"
    """
    ``span-ingest`` also asks the policies about each arriving group of spans by itself, and passes
    the trace on as soon as one samples it; what none samples within `decision_wait` is not sampled.
    Only for policies without a rate. With a drop policy nothing is sampled at all, as in the
    Collector: it may still match what comes later.
    """

    drop_pending_traces_on_shutdown: bool = False
    """
    At the end, drop undecided traces that came by OTLP instead of deciding on what is there. Those
    from Kafka are read again at the next start in either case.
    """

    maximum_trace_size_bytes: int = Field(default=0, ge=0)
    """
    Bytes of OTLP protobuf, with its resources and scopes, above which a trace is not sampled; 0 for
    no limit. At once if its spans alone are as large, else when it is decided.
    """

    decision_topic: DecisionTopicOptions | None = None
    """
    Write each decision about data from Kafka to a topic, before anything of the trace is delivered
    or committed, so that late spans follow it after a restart and in another process too.
    """

    policies: tuple[PolicyOptions, ...]
    """Asked in this order, those of type ``drop`` first. An empty list samples nothing."""

    clock: Literal["record", "wall"] = "record"
    """
    How waits are measured for data from Kafka: ``record`` by the records' timestamps, so that a
    backlog is decided as it would have been live and as fast as it can be read; ``wall`` by this
    machine's clock from the moment of reading, as in the Collector. OTLP data has the latter only.
    """

    clock_slack: Duration = 5.0
    """
    Seconds by which the timestamps of one trace's records may be out of order. As much more than
    `decision_wait` is read back, as context, when a partition is taken over.
    """

    memory_limit_mib: int = Field(default=512, ge=8)
    """
    MiB for traces that are held, in all partitions, with what their records and the batches that
    wait for them cost. Over it the oldest are decided early on what is there, and counted; a trace
    above an eighth of it too. Nothing is dropped.
    """

    undelivered_percent: int = Field(default=50, ge=1, le=90)
    """
    Percent of `memory_limit_mib` that traces which wait for the backend may take. Above it no new
    data is taken, so that Kafka partitions pause and OTLP senders are told to come back.
    """

    delivery_bytes_max: int = Field(default=4 * 1024 * 1024, ge=1024)
    """Bytes of sampled traces that travel downstream as one batch; one larger trace goes alone."""

    deliveries_in_flight_max: int = Field(default=4, ge=1, le=64)
    """Batches of sampled traces that are under way downstream at the same time."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.decision_wait <= 0:
            raise ValueError("decision_wait must be above 0")
        if self.decision_wait_after_root_received < 0 or self.clock_slack < 0:
            raise ValueError("durations must not be negative")
        seen: set[str] = set()
        for policy in self.policies:
            if policy.name in seen:
                raise ValueError(f'duplicate policy name "{policy.name}"')
            seen.add(policy.name)
        if self.sampling_strategy == "span-ingest":
            for policy in self.policies:
                if _has_rate(policy):
                    raise ValueError(
                        f"sampling_strategy span-ingest cannot be used with policy "
                        f'"{policy.name}": it keeps a rate'
                    )
        return self


def _has_rate(policy: PolicyOptions) -> bool:
    held: list[str] = [policy.type]
    for group in (
        policy.and_.and_sub_policy if policy.and_ else (),
        policy.drop.drop_sub_policy if policy.drop else (),
    ):
        for sub in group:
            held.append(sub.type)
            if sub.not_ is not None:
                held.append(sub.not_.not_sub_policy.type)
    if policy.not_ is not None:
        held.append(policy.not_.not_sub_policy.type)
    return any(kind in ("rate_limiting", "bytes_limiting", "composite") for kind in held)
