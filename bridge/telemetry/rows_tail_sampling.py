"""Metrics of tail sampling."""

from bridge.telemetry.metric_spec import AGES_S, COUNTER, GAUGE, HISTOGRAM, MILLISECONDS, row

_TAIL = "otelcol_processor_tail_sampling_"
_TAIL_OURS = "bridge_processor_tail_sampling_"
_OWN = ("processor", "pipeline")

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
    row(
        _TAIL_OURS + "early_decisions",
        COUNTER,
        "Traces decided before their time, by cause.",
        *(*_OWN, "cause"),
    ),
    row(_TAIL_OURS + "spans_without_trace_id", COUNTER, "Spans without a trace id.", *_OWN),
    row(_TAIL_OURS + "replayed_records", COUNTER, "Records that were read again.", *_OWN),
    row(
        _TAIL_OURS + "context_spans",
        COUNTER,
        "Spans read back for deciding only, since they had been finished before.",
        *_OWN,
    ),
    row(_TAIL_OURS + "refused_spans", COUNTER, "Kept spans that were refused for good.", *_OWN),
    row(_TAIL_OURS + "delivery_retries", COUNTER, "Deliveries that were repeated.", *_OWN),
    row(_TAIL_OURS + "delivered_spans", COUNTER, "Kept spans that were delivered.", *_OWN),
    row(
        _TAIL_OURS + "traces_dropped_at_shutdown",
        COUNTER,
        "Traces fed by OTLP that drop_pending_traces_on_shutdown gave up.",
        *_OWN,
    ),
)
