"""The rules of a filter from its config, of all generations."""

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.core import Batch, Refused, Signal
from bridge.processors.filter import FACTORY, FilterOptions
from bridge.processors.filter.options import FilterFields
from bridge.processors.filter.rules import build_rules, condition_texts
from bridge.testing import (
    FakeStage,
    ManualClock,
    RecordingMetrics,
    make_settings,
    otlp_origin,
    sample,
)


def levels(config: dict[str, Any], signal: Signal = Signal.TRACES) -> list[set[str]]:
    """At which levels each of the rules decides."""
    rules = build_rules(FilterFields.model_validate(config), signal, None)
    return [
        {name for name in ("resource", "scope", "item", "part") if getattr(one, name) is not None}
        for one in rules
    ]


@pytest.mark.parametrize(
    ("config", "signal", "found"),
    [
        ({}, Signal.TRACES, []),
        (
            {"trace_conditions": ['span.name == "a"', 'spanevent.name == "b"']},
            Signal.TRACES,
            [{"item", "part"}],
        ),
        (
            {"trace_conditions": [{"context": "span", "conditions": ['name == "a"']}]},
            Signal.TRACES,
            [{"item"}],
        ),
        (
            {
                "log_conditions": [
                    {"conditions": "log.flags == 1"},
                    {"conditions": "scope.name == nil"},
                ]
            },
            Signal.LOGS,
            [{"item"}, {"scope"}],
        ),
        (
            {"traces": {"span": ['name == "a"'], "spanevent": ['name == "b"']}},
            Signal.TRACES,
            [{"item", "part"}],
        ),
        ({"metrics": {"datapoint": ["flags == 1"]}}, Signal.METRICS, [{"part"}]),
        ({"logs": {"log_record": ["flags == 1"]}}, Signal.LOGS, [{"item"}]),
        (
            {"metrics": {"include": {"match_type": "strict", "metric_names": ["a"]}}},
            Signal.METRICS,
            [{"item"}],
        ),
        (
            {
                "metrics": {
                    "exclude": {
                        "match_type": "regexp",
                        "metric_names": ["a"],
                        "resource_attributes": [{"key": "k", "value": "v"}],
                    }
                }
            },
            Signal.METRICS,
            [{"resource", "item"}],
        ),
        (
            {"spans": {"include": {"match_type": "strict", "services": ["a"]}}},
            Signal.TRACES,
            [{"item"}],
        ),
        (
            {"logs": {"exclude": {"match_type": "strict", "bodies": ["a"]}}},
            Signal.LOGS,
            [{"item"}],
        ),
        ({"logs": {"include": {}}}, Signal.LOGS, []),
        ({"trace_conditions": ['span.name == "a"']}, Signal.LOGS, []),
    ],
)
def test_rules_stand_where_the_config_says(
    config: dict[str, Any], signal: Signal, found: list[set[str]]
) -> None:
    """Conditions of one group together, groups one after the other."""
    assert levels(config, signal) == found


def test_condition_texts_are_those_that_may_fail() -> None:
    """Each gets its counter."""
    new = FilterFields(trace_conditions=['span.name == "a"', "span.kind == 1"])
    old = FilterFields.model_validate({"traces": {"span": ["kind == 1"], "resource": ["true"]}})

    assert condition_texts(new, Signal.TRACES) == ['span.name == "a"', "span.kind == 1"]
    assert sorted(condition_texts(old, Signal.TRACES)) == ["kind == 1", "true"]
    assert condition_texts(new, Signal.LOGS) == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"trace_conditions": ["span.kind == 1", {"conditions": ["span.kind == 1"]}]},
            "cannot be mixed",
        ),
        (
            {"trace_conditions": ["span.kind == 1"], "traces": {"span": ["kind == 1"]}},
            "cannot be used together",
        ),
        (
            {
                "traces": {"span": ["kind == 1"]},
                "spans": {"include": {"match_type": "strict", "services": ["a"]}},
            },
            "include or exclude",
        ),
        (
            {
                "metric_conditions": ["metric.name == nil"],
                "metrics": {"include": {"match_type": "strict", "metric_names": ["a"]}},
            },
            "cannot be used together",
        ),
        ({"metrics": {"include": {"match_type": "expr"}}}, "expr is not supported"),
        ({"logs": {"include": {"bodies": ["a"]}}}, "match_type must be given"),
        ({"spans": {"include": {"match_type": "strict"}}}, "at least one"),
        ({"metrics": {"include": {"match_type": "regexp", "metric_names": ["("]}}}, "not valid"),
        ({"error_mode": "panic"}, "error_mode"),
    ],
)
def test_senseless_config_is_refused(config: dict[str, Any], message: str) -> None:
    """Generations that are mixed, and matchers that make no sense."""
    with pytest.raises(ValidationError, match=message):
        FilterOptions.model_validate(config)


async def test_filter_counts_what_it_drops() -> None:
    """Under the Collector's name; what fails is counted by its statement."""
    metrics, sink = RecordingMetrics(), FakeStage()
    failing = 'Int(span.attributes["none"]) + 1 == 2'
    config = {"error_mode": "silent", "trace_conditions": ["span.kind >= 0", failing]}
    processor = FACTORY.create(
        FilterOptions.model_validate(config),
        make_settings("filter/x", metrics=metrics),
        Signal.TRACES,
        sink,
    )
    made = sample(Signal.TRACES, 5, seed=1)
    batch = Batch(Signal.TRACES, made.body, made.items, otlp_origin(ManualClock()))
    await processor.deliver(batch)

    assert sink.offered == []
    assert metrics.value("otelcol_processor_filter_spans_filtered", filter="filter/x") == 5
    assert metrics.value("bridge_ottl_errors", statement=failing) == 0


async def test_filter_that_propagates_refuses_the_batch() -> None:
    """With the condition, as permanent: sent again it would fail again."""
    sink = FakeStage()
    config = {
        "error_mode": "propagate",
        "trace_conditions": ['Int(span.attributes["none"]) + 1 == 2'],
    }
    processor = FACTORY.create(
        FilterOptions.model_validate(config), make_settings("filter/x"), Signal.TRACES, sink
    )
    made = sample(Signal.TRACES, 5, seed=1)

    with pytest.raises(Refused, match="filter/x"):
        await processor.deliver(
            Batch(Signal.TRACES, made.body, made.items, otlp_origin(ManualClock()))
        )
    assert sink.offered == []
