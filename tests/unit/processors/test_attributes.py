"""Actions on attributes of items, and of resources, as the Collector's processors have them."""

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from bridge.core import Batch, Origin, Signal
from bridge.processors.attributes import FACTORY as ATTRIBUTES
from bridge.processors.resource import FACTORY as RESOURCE
from bridge.testing import FakeStage, make_settings

Attributes = dict[str, Any]


def request(resource: Attributes, *spans: tuple[str, Attributes]) -> bytes:
    """One scope of one resource with named spans."""
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    put(group.resource.attributes, resource)
    scope = group.scope_spans.add()
    for name, attributes in spans:
        put(scope.spans.add(name=name).attributes, attributes)
    return made.SerializeToString()


def put(where: Any, values: Attributes) -> None:
    """Write texts and numbers as attributes."""
    for key, value in values.items():
        kind = "string_value" if isinstance(value, str) else "int_value"
        setattr(where.add(key=key).value, kind, value)


def got(where: Any) -> Attributes:
    """Attributes as a dictionary."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
        for pair in where
    }


async def run(
    factory: Any, section: Attributes, body: bytes
) -> tuple[Attributes, list[Attributes]]:
    """Resource and span attributes behind the processor."""
    stage = FakeStage()
    config = factory.config.model_validate(section)
    processor = factory.create(config, make_settings(factory.type_name), Signal.TRACES, stage)
    await processor.deliver(Batch(Signal.TRACES, body, 1, Origin("test")))
    (group,) = ExportTraceServiceRequest.FromString(stage.taken[0].body).resource_spans
    return got(group.resource.attributes), [got(s.attributes) for s in group.scope_spans[0].spans]


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ({"action": "insert", "key": "a", "value": "x"}, {}, {"a": "x"}),
        ({"action": "insert", "key": "a", "value": "x"}, {"a": "old"}, {"a": "old"}),
        ({"action": "update", "key": "a", "value": 7}, {}, {}),
        ({"action": "update", "key": "a", "value": 7}, {"a": "old"}, {"a": 7}),
        ({"action": "upsert", "key": "a", "value": "x"}, {"a": "old"}, {"a": "x"}),
        ({"action": "upsert", "key": "a", "from_attribute": "b"}, {"b": "y"}, {"a": "y", "b": "y"}),
        ({"action": "upsert", "key": "a", "from_attribute": "b"}, {"c": "y"}, {"c": "y"}),
        ({"action": "delete", "key": "a"}, {"a": "x", "b": "y"}, {"b": "y"}),
        ({"action": "delete", "pattern": "^tmp"}, {"tmp.1": "x", "b": "y"}, {"b": "y"}),
        ({"action": "convert", "key": "a", "converted_type": "int"}, {"a": "42"}, {"a": 42}),
        (
            {"action": "extract", "key": "u", "pattern": r"^(?P<scheme>\w+)://(?P<host>[^/]+)"},
            {"u": "http://h/p"},
            {"u": "http://h/p", "scheme": "http", "host": "h"},
        ),
    ],
)
async def test_attributes_action_changes_each_span(
    action: Attributes, before: Attributes, after: Attributes
) -> None:
    """Every action does what the Collector's documentation says, to spans and not to resources."""
    resource, spans = await run(
        ATTRIBUTES, {"actions": [action]}, request({"a": "r"}, ("s", before))
    )

    assert spans == [after]
    assert resource == {"a": "r"}


async def test_attributes_hash_hides_the_value() -> None:
    """The value is replaced by a hash of fixed length, the same each time."""
    section = {"actions": [{"action": "hash", "key": "user"}]}
    _, spans = await run(
        ATTRIBUTES, section, request({}, ("a", {"user": "x"}), ("b", {"user": "x"}))
    )

    assert spans[0] == spans[1] != {"user": "x"}
    assert len(spans[0]["user"]) == 64


async def test_attributes_include_and_exclude_choose_spans() -> None:
    """Only spans that are included and not excluded are changed."""
    section = {
        "include": {"match_type": "regexp", "span_names": ["^GET"]},
        "exclude": {"match_type": "strict", "span_names": ["GET /health"]},
        "actions": [{"action": "insert", "key": "seen", "value": "yes"}],
    }
    body = request({}, ("GET /a", {}), ("GET /health", {}), ("POST /a", {}))

    assert (await run(ATTRIBUTES, section, body))[1] == [{"seen": "yes"}, {}, {}]


async def test_resource_action_changes_resources_only() -> None:
    """The resource processor leaves spans alone."""
    section = {"attributes": [{"action": "upsert", "key": "env", "value": "prod"}]}
    resource, spans = await run(RESOURCE, section, request({"a": "r"}, ("s", {"env": "dev"})))

    assert resource == {"a": "r", "env": "prod"}
    assert spans == [{"env": "dev"}]


@pytest.mark.parametrize(
    "action",
    [
        {"action": "insert", "key": "a"},
        {"action": "explode", "key": "a"},
        {"action": "extract", "key": "a", "pattern": "no groups"},
        {"action": "convert", "key": "a", "converted_type": "complex"},
        {"action": "delete"},
    ],
)
def test_attributes_senseless_action_is_refused(action: Attributes) -> None:
    """What cannot mean anything is found when the file is read."""
    with pytest.raises(ValidationError):
        ATTRIBUTES.config.model_validate({"actions": [action]})
