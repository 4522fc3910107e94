"""Dropping what conditions match, from the outside in."""

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Signal
from bridge.ottl import Conditions, Cursor, ErrorMode, Failed, Filter, Payload, Rules
from bridge.ottl.functions import CONDITION_FUNCTIONS
from bridge.ottl.inference import infer
from bridge.ottl.parser import parse_condition
from bridge.testing import sample


def request(edit: Callable[[ExportTraceServiceRequest], None] | None = None) -> bytes:
    """Two resources, the first with two scopes, of two spans each; each span has two events."""
    made = ExportTraceServiceRequest()
    for resource in ("r0", "r1"):
        group = made.resource_spans.add()
        group.resource.attributes.add(key="name").value.string_value = resource
        for scope in ("s0", "s1") if resource == "r0" else ("s0",):
            spans = group.scope_spans.add()
            spans.scope.name = scope
            for name in ("a", "b"):
                span = spans.spans.add(name=name)
                for event in ("x", "y"):
                    span.events.add(name=event)
    if edit is not None:
        edit(made)
    return made.SerializeToString()


def left(rules: list[Rules], body: bytes) -> tuple[Payload, bytes]:
    """The payload after a filter, and its bytes."""
    payload = Payload(body, Signal.TRACES)
    Filter(Signal.TRACES, rules).apply(Cursor(payload))
    return payload, payload.dump()


def names(body: bytes) -> list[str]:
    """Resource, scope, span and events of what is there."""
    return [
        "/".join(
            [
                group.resource.attributes[0].value.string_value,
                scope.scope.name,
                span.name,
                "".join(event.name for event in span.events),
            ]
        )
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


ALL = names(request())


def conditions(context: str, *texts: str, mode: ErrorMode = ErrorMode.PROPAGATE) -> Conditions:
    """Conditions of one context."""
    return Conditions(context, list(texts), mode)


@pytest.mark.parametrize(
    ("level", "context", "text", "gone"),
    [
        ("resource", "resource", 'attributes["name"] == "r0"', "r0/"),
        ("scope", "scope", 'name == "s1"', "/s1/"),
        ("item", "span", 'name == "a"', "/a/"),
    ],
)
def test_rule_drops_what_matches(level: str, context: str, text: str, gone: str) -> None:
    """With all that is inside of it; empty scopes and resources go too."""
    decider: Any = conditions(context, text)
    _, body = left([Rules(**{level: decider})], request())

    assert names(body) == [name for name in ALL if gone not in name]


def test_rule_of_events_keeps_the_span() -> None:
    """Also without any event left."""
    _, body = left(
        [Rules(part=conditions("spanevent", 'name == "x" or span.name == "b"'))], request()
    )

    assert names(body) == [name.replace("xy", "y" if "/a/" in name else "") for name in ALL]


def test_nothing_dropped_is_the_same_object() -> None:
    """Not a copy of the bytes."""
    body = request()
    for rules in (
        [Rules(item=conditions("span", 'name == "none"'))],
        [Rules(part=conditions("spanevent", 'name == "none"'))],
        [Rules(resource=conditions("resource", "false")), Rules()],
        [],
    ):
        assert left(rules, body)[1] is body


def test_kept_spans_keep_their_bytes() -> None:
    """Unknown fields included: only what is dropped is missing."""
    unknown = b"\x9a\x06\x01x"
    body = request()
    payload = Payload(body, Signal.TRACES)
    for scope in payload.resources[0].scopes:
        scope.keep([raw + unknown for raw in scope.raws])
    body = payload.dump()
    _, after = left([Rules(item=conditions("span", 'name == "a"'))], body)

    kept = Payload(after, Signal.TRACES).resources[0].scopes[0].raws
    assert kept == [
        raw for raw in Payload(body, Signal.TRACES).resources[0].scopes[0].raws if b"\x01b" in raw
    ]


def test_rules_follow_each_other_until_nothing_is_left() -> None:
    """The second sees what the first left."""
    payload, _ = left(
        [
            Rules(item=conditions("span", 'name == "a"')),
            Rules(item=conditions("span", 'name == "b"')),
            Rules(resource=conditions("resource", 'Int("x") + 1 == 2')),
        ],
        request(),
    )

    assert payload.resources == []


def test_failure_that_propagates_comes_after_the_others() -> None:
    """What failed is kept; the rest was decided."""
    failing = 'Int(attributes["none"]) + 1 == 2'
    payload = Payload(request(), Signal.TRACES)
    with pytest.raises(Failed, match="condition"):
        Filter(Signal.TRACES, [Rules(item=conditions("span", f'name == "a" or {failing}'))]).apply(
            Cursor(payload)
        )

    assert {name.split("/")[2] for name in names(payload.dump())} == {"b"}


def test_failure_that_is_ignored_counts_as_false() -> None:
    """Nothing is dropped, and nothing raised."""
    body = request()
    rule = Rules(item=conditions("span", 'Int(attributes["none"]) + 1 == 2', mode=ErrorMode.IGNORE))

    assert left([rule], body)[1] is body


def test_metric_without_points_goes_too() -> None:
    """One of a kind that has none stays."""
    made = sample(Signal.METRICS, 4, seed=1)
    payload = Payload(made.body, Signal.METRICS)
    Filter(Signal.METRICS, [Rules(part=conditions("datapoint", "flags >= 0"))]).apply(
        Cursor(payload)
    )

    after = ExportMetricsServiceRequest.FromString(payload.dump())
    assert not after.resource_metrics


def test_needles_of_rules_are_known_for_items_only() -> None:
    """Where an outer rule may drop, nothing is known beforehand."""
    item = conditions("span", 'name == "a"')

    assert Rules(item=item).needles == ((b"a",),)
    assert Rules(item=item, resource=item).needles is None
    assert Rules().needles is None


def test_context_of_a_condition_is_inferred() -> None:
    """The innermost one that its paths name."""
    text = 'resource.attributes["a"] == spanevent.name'

    assert infer([parse_condition(text)], Signal.TRACES, CONDITION_FUNCTIONS) == ("spanevent", None)
