"""The figures of the tail sampler under the Collector's names."""

from dataclasses import dataclass

from bridge.core import Counter, Metrics, Settings
from bridge.processors._gathering import Decision, Shared

PREFIX = "otelcol_processor_tail_sampling_"


@dataclass(frozen=True, slots=True)
class Tally:
    """The figures of one policy."""

    sampled: Counter
    not_sampled: Counter
    dropped: Counter
    errors: Counter
    executions: Counter
    time_us: Counter


def shared_figures(metrics: Metrics) -> Shared:
    """What all policies together do."""
    return Shared(
        decisions={
            decision: metrics.counter(PREFIX + "global_count_traces_sampled", _labels(decision))
            for decision in Decision
        },
        new_traces=metrics.counter(PREFIX + "new_trace_id_received"),
        early_releases={
            sampled: metrics.counter(
                PREFIX + "early_releases_from_cache_decision", {"sampled": _word(sampled)}
            )
            for sampled in (True, False)
        },
        late_age=metrics.histogram(PREFIX + "sampling_late_span_age"),
        removal_age=metrics.histogram(PREFIX + "sampling_trace_removal_age"),
        timer=metrics.histogram(PREFIX + "sampling_decision_timer_latency"),
        too_large=metrics.counter(PREFIX + "traces_dropped_too_large"),
    )


def tally(settings: Settings, policy: str) -> Tally:
    """The figures of the policy with this name, which is made unique as in the Collector."""
    metrics, component = settings.metrics, settings.id.name
    own = {"policy": f"{component}.{policy}" if component else policy}

    def counted(decision: Decision) -> Counter:
        return metrics.counter(PREFIX + "count_traces_sampled", own | _labels(decision))

    return Tally(
        sampled=counted(Decision.SAMPLED),
        not_sampled=counted(Decision.NOT_SAMPLED),
        dropped=counted(Decision.DROPPED),
        errors=metrics.counter(PREFIX + "sampling_policy_evaluation_error", own),
        executions=metrics.counter(PREFIX + "sampling_policy_execution_count", own),
        time_us=metrics.counter(PREFIX + "sampling_policy_execution_time_sum", own),
    )


def _labels(decision: Decision) -> dict[str, str]:
    return {"sampled": _word(decision is Decision.SAMPLED), "decision": decision.value}


def _word(flag: bool) -> str:
    return "true" if flag else "false"
