"""Requests made to measure."""

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.core import Signal
from bridge.testing import (
    Order,
    encode_descending,
    metric_request,
    sample,
    span_ids,
    trace_request,
)
from bridge.testing.backend_book import read_items


def test_trace_request_names_its_ids_in_order() -> None:
    """The ids that come with a request are those in its bytes, in their order."""
    made = trace_request(3, 2, seed=7)

    assert list(made.span_ids) == span_ids(made.body)
    assert (made.items, len(made.trace_ids)) == (6, 3)


def test_trace_request_same_seed_same_bytes() -> None:
    """A seed decides everything; another seed gives other ids."""
    first, again, other = (trace_request(2, 2, seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first.trace_ids.isdisjoint(other.trace_ids)


def test_trace_request_interleaved_separates_spans_of_a_trace() -> None:
    """Neighbours belong to different traces unless they are asked to stand together."""
    apart, together = (trace_request(2, 2, interleaved=choice) for choice in (True, False))

    assert apart.span_ids[0][:16] != apart.span_ids[1][:16]
    assert together.span_ids[0][:16] == together.span_ids[1][:16]


def test_collector_order_is_the_same_message_backwards() -> None:
    """Both orders decode to one message; the Collector's span ends with its trace id."""
    sdk, collector = (trace_request(2, 3, order=order, padding_bytes=300) for order in Order)

    assert ExportTraceServiceRequest.FromString(sdk.body) == (
        ExportTraceServiceRequest.FromString(collector.body)
    )
    assert collector.body != sdk.body
    assert len(collector.body) == len(sdk.body)


def test_descending_span_puts_ids_last() -> None:
    """A span's bytes end with span id and trace id, as a Collector's do."""
    span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, name="x")

    encoded = encode_descending(span)

    assert encoded == b"\x2a\x01x" + b"\x12\x08" + b"s" * 8 + b"\x0a\x10" + b"t" * 16


def test_samples_hold_the_items_they_say() -> None:
    """Every signal and order gives a valid request with the announced number of items."""
    made = [sample(signal, 7, order=order) for signal in Signal for order in Order]

    assert [request.items for request in made] == [
        read_items(request.signal, request.body)[0] for request in made
    ]
    assert {request.items for request in made} == {7}


def test_metric_request_leaves_out_metrics_without_points() -> None:
    """One point is one metric."""
    request = ExportMetricsServiceRequest.FromString(metric_request(1).body)

    assert len(request.resource_metrics[0].scope_metrics[0].metrics) == 1


def test_trace_request_failed_share_marks_last_spans() -> None:
    """All traces fail at share one, each in its last span."""
    made = trace_request(4, 2, failed_share=1.0)
    request = ExportTraceServiceRequest.FromString(made.body)
    codes = [span.status.code for span in request.resource_spans[0].scope_spans[0].spans]

    assert codes == [0, 0, 0, 0, 2, 2, 2, 2]
