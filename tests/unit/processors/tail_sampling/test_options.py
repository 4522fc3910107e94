"""The section as people write it."""

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.processors.tail_sampling import TailSamplingOptions

ALWAYS = {"name": "all", "type": "always_sample"}


def read(**changes: Any) -> TailSamplingOptions:
    return TailSamplingOptions.model_validate({"policies": [ALWAYS], **changes})


def test_options_defaults_lose_nothing() -> None:
    """No number of traces drops anything, late spans follow decisions, records give the time."""
    options = read()

    assert (options.decision_wait, options.num_traces, options.clock) == (30.0, 0, "record")
    assert options.decision_cache.sampled_cache_size > 0
    assert options.decision_cache.non_sampled_cache_size > 0


def test_options_read_the_collectors_example() -> None:
    """Every kind of policy in one file."""
    options = read(
        decision_wait="10s",
        num_traces=100,
        expected_new_traces_per_sec=10,
        decision_cache={"sampled_cache_size": 1000, "non_sampled_cache_size": 1000},
        policies=[
            ALWAYS,
            {
                "name": "latency",
                "type": "latency",
                "latency": {"threshold_ms": 5000, "upper_threshold_ms": 10000},
            },
            {
                "name": "numeric",
                "type": "numeric_attribute",
                "numeric_attribute": {"key": "k", "min_value": 50, "max_value": 100},
            },
            {
                "name": "share",
                "type": "probabilistic",
                "probabilistic": {"sampling_percentage": 10},
            },
            {
                "name": "status",
                "type": "status_code",
                "status_code": {"status_codes": ["ERROR", "UNSET"]},
            },
            {
                "name": "text",
                "type": "string_attribute",
                "string_attribute": {
                    "key": "k",
                    "values": ["v1", "val*"],
                    "enabled_regex_matching": True,
                    "cache_max_size": 10,
                },
            },
            {"name": "rate", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 35}},
            {
                "name": "bytes",
                "type": "bytes_limiting",
                "bytes_limiting": {"bytes_per_second": 1024, "burst_capacity": 2048},
            },
            {
                "name": "count",
                "type": "span_count",
                "span_count": {"min_spans": 2, "max_spans": 20},
            },
            {"name": "state", "type": "trace_state", "trace_state": {"key": "k", "values": ["v"]}},
            {"name": "flags", "type": "trace_flags"},
            {
                "name": "flag",
                "type": "boolean_attribute",
                "boolean_attribute": {"key": "k", "value": True},
            },
            {
                "name": "ottl",
                "type": "ottl_condition",
                "ottl_condition": {
                    "error_mode": "ignore",
                    "span": ['attributes["a"] == "b"'],
                    "spanevent": ['name != "e"'],
                },
            },
            {"name": "and", "type": "and", "and": {"and_sub_policy": [ALWAYS]}},
            {"name": "not", "type": "not", "not": {"not_sub_policy": ALWAYS}},
            {"name": "drop", "type": "drop", "drop": {"drop_sub_policy": [ALWAYS]}},
            {
                "name": "composite",
                "type": "composite",
                "composite": {
                    "max_total_spans_per_second": 1000,
                    "policy_order": ["all"],
                    "composite_sub_policy": [
                        ALWAYS,
                        {"name": "both", "type": "and", "and": {"and_sub_policy": [ALWAYS]}},
                    ],
                    "rate_allocation": [{"policy": "all", "percent": 50}],
                },
            },
        ],
    )

    assert len(options.policies) == 17


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policies": [ALWAYS, ALWAYS]}, 'duplicate policy name "all"'),
        ({"policies": [{"name": "", "type": "always_sample"}]}, "at least 1 character"),
        ({"policies": [{"name": "p", "type": "moon"}]}, "unknown sampling policy type moon"),
        ({"policies": [{"name": "p", "type": "status_code"}]}, "at least one of OK"),
        ({"policies": [{"name": "p", "type": "numeric_attribute"}]}, "0 means no bound"),
        ({"policies": [{"name": "p", "type": "ottl_condition"}]}, "at least one condition"),
        ({"policies": [{"name": "p", "type": "not"}]}, "needs not: {not_sub_policy"),
        ({"decision_wait": "0s"}, "decision_wait must be above 0"),
        ({"decision_wait_after_root_received": "-1s"}, "must not be negative"),
        ({"tail_storage": "x"}, "tail_storage"),
    ],
)
def test_options_refuse_what_cannot_work(changes: dict[str, Any], message: str) -> None:
    """Before data flows, with words that help."""
    with pytest.raises(ValidationError, match=message):
        read(**changes)


@pytest.mark.parametrize(
    "where",
    [
        {"type": "not", "not": {"not_sub_policy": {"name": "n", "type": "and"}}},
        {"type": "and", "and": {"and_sub_policy": [{"name": "n", "type": "composite"}]}},
        {"type": "drop", "drop": {"drop_sub_policy": [{"name": "n", "type": "and"}]}},
        {
            "type": "composite",
            "composite": {"composite_sub_policy": [{"name": "n", "type": "drop"}]},
        },
    ],
)
def test_options_refuse_policies_where_they_may_not_stand(where: dict[str, Any]) -> None:
    """The nesting is the Collector's."""
    with pytest.raises(ValidationError, match="unknown sampling policy type"):
        read(policies=[{"name": "p", **where}])


@pytest.mark.parametrize(
    "policy",
    [
        {"type": "rate_limiting", "rate_limiting": {"spans_per_second": 1}},
        {"type": "composite"},
        {
            "type": "and",
            "and": {"and_sub_policy": [{"name": "n", "type": "bytes_limiting"}]},
        },
        {
            "type": "drop",
            "drop": {
                "drop_sub_policy": [
                    {
                        "name": "n",
                        "type": "not",
                        "not": {"not_sub_policy": {"name": "m", "type": "rate_limiting"}},
                    }
                ]
            },
        },
        {"type": "not", "not": {"not_sub_policy": {"name": "m", "type": "rate_limiting"}}},
    ],
)
def test_options_refuse_rates_with_span_ingest(policy: dict[str, Any]) -> None:
    """Asked several times about one trace, a rate would be used several times."""
    with pytest.raises(ValidationError, match="it keeps a rate"):
        read(sampling_strategy="span-ingest", policies=[{"name": "p", **policy}])
    read(sampling_strategy="span-ingest")


def test_options_policies_are_required_and_may_be_empty() -> None:
    """An empty list starts, and samples nothing."""
    with pytest.raises(ValidationError):
        TailSamplingOptions.model_validate({})
    assert read(policies=[]).policies == ()


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"topic": "bad topic"}, "topic"),
        ({"topic": "decisions", "brokers": ["embedded"]}, "ends with this process"),
        ({"topic": "decisions", "time_span": 0}, "time_span"),
        ({}, "topic"),
    ],
)
def test_options_decision_topic_that_cannot_work_is_refused(
    section: dict[str, object], reason: str
) -> None:
    """A name that is none, or a broker that keeps nothing."""
    with pytest.raises(ValueError, match=reason):
        TailSamplingOptions.model_validate({"policies": [], "decision_topic": section})


def test_options_decision_topic_keeps_ten_minutes() -> None:
    """Late spans are rarely later, and the caches have room for as much."""
    options = TailSamplingOptions.model_validate(
        {"policies": [], "decision_topic": {"topic": "decisions"}}
    )

    assert options.decision_topic is not None
    assert options.decision_topic.time_span == 600.0
    assert options.decision_topic.create
