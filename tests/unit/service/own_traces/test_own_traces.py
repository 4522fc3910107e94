"""`bridge.service.own_traces.own_traces`: from the config to spans at a backend."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.config import Telemetry, TracesSection
from bridge.core import Batch, ConfigError, Deadline, Origin, Signal, SystemClock
from bridge.service.own_traces import OwnTraces
from bridge.service.own_traces.own_traces import RUN_ATTRIBUTE
from bridge.service.places import Place
from bridge.telemetry import MetricRegistry
from bridge.testing import FakeStage
from bridge.testing.backend import Backend

PLACE = Place("receivers/otlp", "otlp", "", begins=True)


def telemetry(**otlp: object) -> Telemetry:
    """Everything followed, and sent there."""
    batch = {"exporter": {"otlp": {"insecure": True, **otlp}}}
    section = {"sampler": {"always_on": {}}, "processors": [{"batch": batch}]}
    return Telemetry(traces=TracesSection.model_validate(section))


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
async def test_spans_reach_the_backend(protocol: str, compression: str) -> None:
    """By either protocol, with the headers, and with the id by which they are told again."""
    async with Backend() as backend:
        endpoint = backend.grpc_endpoint if protocol == "grpc" else backend.http_endpoint
        settings = telemetry(
            protocol=protocol,
            endpoint=endpoint,
            compression=compression,
            headers={"x-key": "sesame"},
        )
        traces = OwnTraces(settings, MetricRegistry(), SystemClock())
        await traces.start()
        stage = traces.observe(FakeStage(), PLACE)
        await stage.deliver(Batch(Signal.TRACES, b"", 1, Origin("otlp")))
        await traces.stop(Deadline.after(10, SystemClock()))
        (received,) = backend.book.bodies

    assert received.metadata["x-key"] == "sesame"
    request = ExportTraceServiceRequest.FromString(received.body)
    attributes = {
        each.key: each.value.string_value for each in request.resource_spans[0].resource.attributes
    }
    assert attributes["service.name"] == "otlp-bridge"
    assert attributes[RUN_ATTRIBUTE] == settings.run
    assert settings.run.encode() in received.body


async def test_certificate_that_is_not_there_stops_the_start() -> None:
    """As with any exporter."""
    settings = telemetry(endpoint="https://b:1", certificate="/absent.pem")
    with pytest.raises(ConfigError, match=r"absent\.pem"):
        await OwnTraces(settings, MetricRegistry(), SystemClock()).start()


def test_without_a_backend_there_is_nothing_to_build() -> None:
    """Whoever asks for it has made a mistake."""
    with pytest.raises(ValueError, match="no own traces"):
        OwnTraces(Telemetry(), MetricRegistry(), SystemClock())
