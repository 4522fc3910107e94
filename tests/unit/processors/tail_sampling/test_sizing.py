"""The size of a trace is what the Collector would write."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Counter
from bridge.processors._gathering import Decision, traces_of
from bridge.processors.tail_sampling.options import TailSamplingOptions
from bridge.processors.tail_sampling.processor import build_judge
from bridge.processors.tail_sampling.sizing import SizeJudge, encoded_bytes
from bridge.testing import Order, make_settings

TRACE_ID = b"t" * 16


def _request(spans_by_scope: list[list[int]]) -> ExportTraceServiceRequest:
    """A resource with scopes, in each of which spans with names of so many bytes."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    for sizes in spans_by_scope:
        scope = group.scope_spans.add()
        scope.scope.name = "orders"
        for size in sizes:
            span = scope.spans.add(trace_id=TRACE_ID, span_id=b"s" * 8, name="n" * size)
            # As the Collector writes them: an empty status is there.
            span.parent_span_id = b"p" * 8
            span.status.SetInParent()
    return request


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("spans_by_scope", [[[0]], [[5, 90, 200]], [[1], [2, 3]], [[20_000], [1]]])
def test_encoded_bytes_are_those_of_the_resource(
    spans_by_scope: list[list[int]], order: Order
) -> None:
    """Resource, scopes, tags and lengths count, and no span twice."""
    request = _request(spans_by_scope)
    ((parts, spans),) = traces_of(order.encode(request)).values()

    assert request.resource_spans[0].ByteSize() == encoded_bytes(parts, spans)


@pytest.mark.parametrize("order", list(Order))
def test_encoded_bytes_of_two_requests_count_the_resource_twice(order: Order) -> None:
    """As it came: the Collector keeps each request's resource."""
    request = _request([[7]])
    ((parts, spans),) = traces_of(order.encode(request)).values()
    ((again, _),) = traces_of(order.encode(request)).values()

    expected = 2 * request.resource_spans[0].ByteSize()
    assert expected == encoded_bytes([*parts, *again], 2 * spans)


def test_encoded_bytes_count_what_only_the_collector_writes() -> None:
    """An empty parent and an empty status take two bytes each there."""
    request = _request([[7]])
    full = request.resource_spans[0].ByteSize()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.ClearField("parent_span_id")
    span.ClearField("status")
    ((parts, spans),) = traces_of(request.SerializeToString()).values()

    assert full - len(b"p" * 8) == encoded_bytes(parts, spans)


@pytest.mark.parametrize(("room", "expected"), [(0, Decision.SAMPLED), (-1, Decision.NOT_SAMPLED)])
def test_size_judge_samples_up_to_the_limit(room: int, expected: Decision) -> None:
    """A trace of exactly the limit is asked about; one byte more is too large, and counted."""
    request = _request([[7]])
    ((parts, spans),) = traces_of(request.SerializeToString()).values()
    everything = {"policies": [{"name": "all", "type": "always_sample"}]}
    options = TailSamplingOptions.model_validate(everything)
    counter = Counter()
    all_of_it = build_judge(options, make_settings("tail_sampling"))
    judge = SizeJudge(all_of_it, request.resource_spans[0].ByteSize() + room, counter)

    assert expected is judge.decide(TRACE_ID, parts, spans)
    sampled_by = "all" if expected is Decision.SAMPLED else ""
    assert (expected, sampled_by) == judge.decide_and_name(TRACE_ID, parts, spans)
    assert counter.value == 2 * (expected is Decision.NOT_SAMPLED)


def test_encoded_bytes_of_broken_spans_are_those_that_came() -> None:
    """What is no protobuf is told by whoever decodes it."""
    chunk = (b"\x12\x05abc", b"", b"", object())

    expected = 2 + len(b"\x12\x07") + 2 + 5  # A resource, and a scope's frame, head and spans.
    assert expected == encoded_bytes([chunk, 0, 5], 1)
