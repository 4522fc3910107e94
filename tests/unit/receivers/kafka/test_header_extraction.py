"""Record headers as resource attributes."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Malformed, Signal
from bridge.receivers.kafka.header_extraction import HeaderAttributes
from bridge.testing import log_request, metric_request, trace_request

HEADERS = (("tenant", b"a"), ("zone", b"\xff"), ("tenant", b"b"))


def _attributes(body: bytes) -> dict[str, str]:
    (group,) = ExportTraceServiceRequest.FromString(body).resource_spans
    return {pair.key: pair.value.string_value for pair in group.resource.attributes}


def test_extraction_takes_the_first_of_each_name() -> None:
    """Names match exactly, the first header of a name counts, bytes that are no text show so."""
    body = HeaderAttributes(Signal.TRACES, ["tenant", "zone", "Tenant"]).add(
        trace_request().body, HEADERS
    )

    found = _attributes(body)
    assert found["kafka.header.tenant"] == "a"
    assert found["kafka.header.zone"] == "\ufffd"
    assert "kafka.header.Tenant" not in found


def test_extraction_replaces_an_attribute_of_the_same_name() -> None:
    """Extracting again leaves one attribute, with the newer value."""
    attributes = HeaderAttributes(Signal.TRACES, ["tenant"])
    once = attributes.add(trace_request().body, HEADERS)

    again = attributes.add(once, (("tenant", b"z"),))

    assert _attributes(again)["kafka.header.tenant"] == "z"
    assert again.count(b"kafka.header.tenant") == 1


def test_extraction_without_such_headers_changes_nothing() -> None:
    """Records without the headers are not even decoded."""
    body = b"\xff not looked at"

    assert HeaderAttributes(Signal.TRACES, ["other"]).add(body, HEADERS) is body


@pytest.mark.parametrize(
    ("signal", "body"),
    [(Signal.LOGS, log_request().body), (Signal.METRICS, metric_request().body)],
)
def test_extraction_knows_every_signal(signal: Signal, body: bytes) -> None:
    """Logs and metrics have resources too."""
    assert b"kafka.header.tenant" in HeaderAttributes(signal, ["tenant"]).add(body, HEADERS)


def test_extraction_from_garbage_is_malformed() -> None:
    """A body that cannot be decoded is the record's fault."""
    with pytest.raises(Malformed):
        HeaderAttributes(Signal.TRACES, ["tenant"]).add(b"\xff\xff", HEADERS)
