"""Metrics of the stages that gather traces: tail sampling and groupbytrace."""

from bridge.telemetry.metric_spec import (
    AGES_S,
    COUNTER,
    GAUGE,
    HISTOGRAM,
    MILLISECONDS,
    Row,
    row,
)

_TAIL = "otelcol_processor_tail_sampling_"

TAIL_SAMPLING = (
    row(
        _TAIL + "count_traces_sampled",
        COUNTER,
        "Decisions of each policy.",
        *("policy", "sampled", "decision"),
    ),
    row(
        _TAIL + "global_count_traces_sampled",
        COUNTER,
        "Decisions of all policies together.",
        *("sampled", "decision"),
    ),
    row(_TAIL + "new_trace_id_received", COUNTER, "Traces that began."),
    row(
        _TAIL + "early_releases_from_cache_decision",
        COUNTER,
        "Late spans that followed a cached decision.",
        "sampled",
    ),
    row(
        _TAIL + "sampling_late_span_age",
        HISTOGRAM,
        "Time from a trace's decision to a late span of it.",
        unit="seconds",
        bounds=AGES_S,
    ),
    row(
        _TAIL + "sampling_trace_removal_age",
        HISTOGRAM,
        "Age of traces when they leave memory.",
        unit="seconds",
        bounds=AGES_S,
    ),
    row(
        _TAIL + "sampling_decision_timer_latency",
        HISTOGRAM,
        "Duration of one round of decisions.",
        unit="milliseconds",
        bounds=MILLISECONDS,
    ),
    row(
        _TAIL + "traces_dropped_too_large",
        COUNTER,
        "Traces decided because they exceed maximum_trace_size_bytes.",
    ),
    row(
        _TAIL + "sampling_policy_evaluation_error",
        COUNTER,
        "Evaluations of a policy that failed.",
        "policy",
    ),
    row(
        _TAIL + "sampling_policy_execution_count",
        COUNTER,
        "Evaluations of a policy.",
        "policy",
    ),
    row(
        _TAIL + "sampling_policy_execution_time_sum",
        COUNTER,
        "Time spent in a policy.",
        "policy",
        unit="microseconds",
    ),
    row(_TAIL + "sampling_traces_on_memory", GAUGE, "Undecided traces."),
)

_GROUP = "otelcol_processor_groupbytrace_"

GROUP_BY_TRACE = (
    row(_GROUP + "num_traces_in_memory", GAUGE, "Traces that are gathered."),
    row(_GROUP + "traces_released", COUNTER, "Traces that were passed on."),
)


def _decisions(ours: str, own: tuple[str, ...]) -> tuple[Row, ...]:
    """What is written to and read from a decision topic."""
    return (
        row(
            ours + "decisions_written",
            COUNTER,
            "Decisions that the decision topic has.",
            *own,
        ),
        row(
            ours + "decisions_read",
            COUNTER,
            "Decisions read back from the decision topic when partitions were assigned.",
            *own,
        ),
        row(
            ours + "decisions_unread_partitions",
            COUNTER,
            "Assignments that began without decisions, since they could not be read in time.",
            *own,
        ),
        row(
            ours + "decision_write_failures",
            COUNTER,
            "Writes to the decision topic that failed; they are repeated, and what follows waits.",
            *own,
        ),
    )


def _gathering(kind: str) -> tuple[Row, ...]:
    """What a stage that gathers traces shows under a name of ours."""
    ours, own = f"bridge_processor_{kind}_", ("processor", "pipeline")
    return (
        row(
            ours + "early_decisions",
            COUNTER,
            "Traces decided before their time, by cause.",
            *(*own, "cause"),
        ),
        row(
            ours + "odd_spans",
            COUNTER,
            "Sampled spans with the id of another one, that end before they start, or that begin "
            "before 2000 or a day ahead. They are delivered.",
            *(*own, "oddity"),
        ),
        row(ours + "spans_without_trace_id", COUNTER, "Spans without a trace id.", *own),
        row(
            ours + "interleaved_ranges",
            COUNTER,
            "Runs of spans that stand apart from others of their trace in one record and scope. "
            "Each is held by itself.",
            *own,
        ),
        row(ours + "replayed_records", COUNTER, "Records that were read again.", *own),
        row(
            ours + "context_ranges",
            COUNTER,
            "Runs of records read back for deciding only, since they had been finished before.",
            *own,
        ),
        row(ours + "refused_spans", COUNTER, "Kept spans that were refused for good.", *own),
        row(ours + "delivery_retries", COUNTER, "Deliveries that were repeated.", *own),
        row(ours + "delivered_spans", COUNTER, "Kept spans that were delivered.", *own),
        *_decisions(ours, own),
        row(
            ours + "traces_dropped_at_shutdown",
            COUNTER,
            "Traces fed by OTLP that were given up at the end, as configured.",
            *own,
        ),
        row(ours + "undecided_traces", GAUGE, "Traces that are not decided.", *own),
        row(ours + "undecided_bytes", GAUGE, "Bytes of them.", *own, unit="bytes"),
        row(
            ours + "undelivered_bytes",
            GAUGE,
            "Bytes of traces that are decided, kept and not delivered.",
            *own,
            unit="bytes",
        ),
        row(ours + "held_records", GAUGE, "Records whose offsets are held.", *own),
        row(
            ours + "oldest_undecided_age_seconds",
            GAUGE,
            "Age of the oldest undecided trace.",
            *own,
            unit="seconds",
        ),
    )


GATHERING = (*_gathering("tail_sampling"), *_gathering("groupbytrace"))
