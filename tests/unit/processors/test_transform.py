"""The transform processor on data that statements fail on."""

from typing import Any

import pytest

from bridge.core import Batch, Refused, Signal
from bridge.flow import FanOut
from bridge.ottl import Payload, schema
from bridge.ottl.codec import delimited
from bridge.processors.transform import FACTORY, TransformOptions
from bridge.testing import FakeStage, ManualClock, RecordingMetrics, make_settings, otlp_origin
from tests.unit.ottl.running import a_span

BROKEN = a_span({"a": 1}, name=b"broken") + delimited(b"\x4a", b"\x0a\x05a")
SOUND = a_span({"a": 1}, name=b"sound")
STATEMENTS = ['set(span.attributes["new"], 1)', 'delete_key(span.attributes, "a")']


def request(*items: bytes) -> bytes:
    """One scope with these spans."""
    made = schema.Request()
    made.resources.add().scopes.add().items.extend(items)
    raw: bytes = made.SerializeToString()
    return raw


async def transformed(body: bytes, **config: Any) -> tuple[FakeStage, RecordingMetrics]:
    """What comes out of a transform processor."""
    sink, metrics = FakeStage(), RecordingMetrics()
    processor = FACTORY.create(
        TransformOptions.model_validate({"trace_statements": STATEMENTS, **config}),
        make_settings("transform/x", metrics=metrics),
        Signal.TRACES,
        sink,
    )
    await processor.deliver(Batch(Signal.TRACES, body, 3, otlp_origin(ManualClock())))
    return sink, metrics


@pytest.mark.parametrize("mode", ["ignore", "silent"])
async def test_broken_attribute_costs_no_neighbour(mode: str) -> None:
    """The item passes with its bytes, each statement's failure is counted, the rest is changed."""
    sink, metrics = await transformed(request(SOUND, BROKEN, SOUND), error_mode=mode)
    (batch,) = sink.taken
    items = Payload(batch.body, Signal.TRACES).resources[0].scopes[0].items

    assert [item.attributes.to_map() for item in (items[0], items[2])] == [{"new": 1}] * 2
    assert items[1].raw == BROKEN
    assert batch.items == 3
    for text in STATEMENTS:
        assert metrics.value("bridge_ottl_errors", statement=text) == 1


async def test_broken_attribute_refuses_the_batch_if_errors_propagate() -> None:
    """With the statement."""
    with pytest.raises(Refused, match=r"transform/x.*set\(span"):
        await transformed(request(SOUND, BROKEN), error_mode="propagate")


async def test_batch_that_no_statement_changes_is_the_same_object() -> None:
    """Not a copy of its bytes."""
    body = request(SOUND, SOUND)
    sink, _ = await transformed(body, trace_statements=['set(span.name, "x") where span.kind == 9'])

    assert sink.taken[0].body is body


async def test_later_group_sees_what_an_earlier_one_did() -> None:
    """To all items."""
    groups = [
        {"context": "span", "statements": 'set(resource.attributes["count"], 1)'},
        {
            "context": "span",
            "conditions": 'resource.attributes["count"] == 1',
            "statements": 'set(name, "after")',
        },
    ]
    sink, _ = await transformed(request(SOUND, SOUND), trace_statements=groups)
    items = Payload(sink.taken[0].body, Signal.TRACES).resources[0].scopes[0].items

    assert [item.parse().name for item in items] == [b"after"] * 2


@pytest.mark.parametrize("first", ["changed", "plain"])
async def test_change_in_one_pipeline_is_not_seen_by_the_other(first: str) -> None:
    """A changed batch is a new one: the other branch has the bytes that came, in either order."""
    changed, plain, clock = FakeStage(), FakeStage(), ManualClock()
    processor = FACTORY.create(
        TransformOptions.model_validate({"trace_statements": STATEMENTS}),
        make_settings("transform/x"),
        Signal.TRACES,
        changed,
    )
    branches = {"changed": processor, "plain": plain}
    names = sorted(branches, reverse=first == "plain")
    metrics = RecordingMetrics()
    fan_out = FanOut("otlp", {name: branches[name] for name in names}, clock=clock, metrics=metrics)
    body = request(SOUND)
    await fan_out.deliver(Batch(Signal.TRACES, body, 1, otlp_origin(clock)))
    (item,) = Payload(changed.taken[0].body, Signal.TRACES).resources[0].scopes[0].items

    assert item.attributes.to_map() == {"new": 1}
    assert plain.taken[0].body is body
    assert body == request(SOUND)
