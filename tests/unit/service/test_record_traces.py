"""The traces in a record."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Malformed
from bridge.kafka import SampledRecord
from bridge.service.record_traces import traces_of
from bridge.testing import trace_request

BODY = trace_request(traces=3, seed=5).body
IDS = {
    span.trace_id
    for resource in ExportTraceServiceRequest.FromString(BODY).resource_spans
    for scope in resource.scope_spans
    for span in scope.spans
}


def record(key: bytes | None, value: bytes, *headers: tuple[str, bytes]) -> SampledRecord:
    """One record."""
    return SampledRecord("t", 0, 0, 0, key, value, headers)


def test_key_of_32_digits_is_the_trace() -> None:
    """As Collectors write it: the value need not be read."""
    assert traces_of(record(b"0a" * 16, b"\xff")) == {b"\x0a" * 16}


@pytest.mark.parametrize("key", [None, b"", b"z" * 32, b"customer-7"])
def test_other_keys_leave_it_to_the_value(key: bytes | None) -> None:
    """All of its traces."""
    assert traces_of(record(key, BODY)) == IDS


def test_packed_record_is_read_whatever_its_key() -> None:
    """The header says that it holds many."""
    assert traces_of(record(b"0a" * 16, BODY, ("bridge-packing", b"partition"))) == IDS


def test_value_that_is_no_traces_is_malformed() -> None:
    """Such as JSON."""
    with pytest.raises(Malformed):
        traces_of(record(None, b'{"resourceSpans": []}'))
