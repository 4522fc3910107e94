"""Topic, headers and message key of a request."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Batch, Origin, Signal
from bridge.exporters.kafka import KafkaExporterConfig
from bridge.exporters.kafka.routing import AllowedTopics, Route, Router


def batch(*tenants: str, **metadata: str) -> Batch:
    """A request with one resource for each tenant."""
    request = ExportTraceServiceRequest()
    for tenant in tenants:
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="tenant").value.string_value = tenant
        resource.scope_spans.add().spans.add(name="x")
    keys = {name.replace("_", "-"): (value,) for name, value in metadata.items()}
    return Batch(
        Signal.TRACES, request.SerializeToString(), len(tenants), Origin("test"), metadata=keys
    )


def route(config: dict[str, object], one: Batch) -> tuple[list[Route], list[Signal]]:
    """The routes of a batch, and for which signals a topic was refused."""
    refused: list[Signal] = []
    router = Router(KafkaExporterConfig.model_validate(config), refused.append)
    return [where for where, _ in router.route(one)], refused


def test_route_without_choices_is_the_signals_topic() -> None:
    """The whole request, uncut."""
    assert route({}, batch("a", "b")) == ([Route(Signal.TRACES, "otlp_spans", ())], [])


def test_attribute_names_the_topic_of_each_resource() -> None:
    """What is not allowed, or absent, goes to the signal's topic; only the former is counted."""
    config = {"topic_from_attribute": "tenant", "allowed_topics": ["north", "^s.*$"]}
    routes, refused = route(config, batch("north", "south", "evil", ""))

    assert [one.topic for one in routes] == ["north", "south", "otlp_spans", "otlp_spans"]
    assert refused == [Signal.TRACES]


def test_metadata_names_the_topic_before_attributes() -> None:
    """The first value, whatever the case of the key in the configuration."""
    config = {
        "topic_from_attribute": "tenant",
        "traces": {"topic_from_metadata_key": "X-Topic"},
        "allowed_topics": ["north", "chosen"],
    }
    routes, _ = route(config, batch("north", x_topic="chosen"))
    assert [one.topic for one in routes] == ["chosen"]
    routes, refused = route(config, batch("north", x_topic="other"))

    assert [one.topic for one in routes] == ["north"]
    assert refused == [Signal.TRACES]


def test_headers_are_fixed_ones_then_metadata() -> None:
    """Spelled as configured; absent keys give none."""
    config = {
        "record_headers": [{"name": "fixed", "value": "1"}],
        "include_metadata_keys": ["X-Tenant", "x-absent"],
        "traces": {"message_key_from_metadata_key": "x-tenant"},
    }
    ((only,), _) = route(config, batch(x_tenant="north"))

    assert only.headers == (("fixed", b"1"), ("X-Tenant", b"north"))
    assert only.key == b"north"


def test_allowed_topics_are_names_or_anchored_expressions() -> None:
    """A name is no expression, and an expression may leave its end open."""
    allowed = AllowedTopics(["a.c", "^tenant-"])

    assert "a.c" in allowed
    assert "abc" not in allowed
    assert "tenant-7" in allowed
    assert "my-tenant-7" not in allowed
