"""Writing ranges as requests."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.processors._gathering.request import framed_spans, request_grouped, request_in_order
from bridge.processors._gathering.scan import scan
from bridge.processors._gathering.trace import HeldBatch, HeldRecord, Parts
from tests.unit.processors._gathering.conftest import request, spans_in, trace_id

A, B = trace_id(1), trace_id(2)


def parts_of(*bodies: bytes) -> dict[bytes, Parts]:
    """The ranges of each trace in *bodies*."""
    parts: dict[bytes, Parts] = {}
    for body in bodies:
        record = HeldRecord(HeldBatch(None, 1), 0)
        for _, resource, scope, ranges in scan(body):
            for owner, start, stop, _ in ranges:
                parts.setdefault(owner, []).extend(((body, resource, scope, record), start, stop))
    return parts


def test_request_in_order_keeps_the_order_of_arrival() -> None:
    """Spans of one trace come as they came, each in the envelope it came in."""
    parts = parts_of(request((A, 1), (B, 2), (A, 3)), request((A, 4), service="b"), request((A, 5)))
    body = request_in_order(parts[A])

    assert spans_in(body) == [(A, 1), (A, 3), (A, 4), (A, 5)]
    message = ExportTraceServiceRequest.FromString(body)
    assert [
        group.resource.attributes[0].value.string_value for group in message.resource_spans
    ] == ["a", "b", "a"]


def test_request_grouped_writes_each_envelope_once() -> None:
    """Several traces become one request without repeated resources and scopes."""
    parts = parts_of(request((A, 1), (B, 2)), request((A, 3), service="b"), request((B, 4)))
    body = request_grouped([parts[A], parts[B]])

    assert {(A, 1), (A, 3), (B, 2), (B, 4)} == set(spans_in(body))
    message = ExportTraceServiceRequest.FromString(body)
    assert [
        group.resource.attributes[0].value.string_value for group in message.resource_spans
    ] == ["a", "b"]
    assert message.resource_spans[0].scope_spans[0].scope.name == "s"


def test_framed_spans_are_the_bytes_that_came() -> None:
    """The ranges joined, one range or several."""
    body = request((A, 1), (B, 2), (A, 3))
    parts = parts_of(body)

    assert framed_spans(parts[B]) in body
    assert 2 * len(framed_spans(parts[B])) == len(framed_spans(parts[A]))


def test_request_in_order_writes_a_resource_once_above_many_scopes() -> None:
    """One trace of many scopes stays as large as it came."""
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.add(key="a").value.string_value = "x" * 10_000
    for number in range(50):
        scope = group.scope_spans.add()
        scope.scope.name = f"s{number}"
        scope.spans.add(trace_id=b"t" * 16, span_id=b"12345678", name=str(number))
    (parts,) = parts_of(made.SerializeToString()).values()

    assert made == ExportTraceServiceRequest.FromString(request_in_order(parts))
