"""The traces that ``otlp-bridge send`` makes."""

from itertools import count

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from bridge.core import Signal
from bridge.service.probe import RUN_ATTRIBUTE, make_trace
from bridge.wire import count_items

NOW_NS = 1_700_000_000_000_000_000


def test_trace_has_a_root_and_children_of_one_run() -> None:
    """Under one id that no other trace has, with what finds it again."""
    numbers = count(1)
    made = make_trace(
        "run-1",
        "shop",
        spans=3,
        failed=True,
        now_ns=NOW_NS,
        random_bytes=lambda size: next(numbers).to_bytes(size),
    )
    (resource,) = ExportTraceServiceRequest.FromString(made.body).resource_spans
    root, *children = resource.scope_spans[0].spans
    attributes = {one.key: one.value.string_value for one in resource.resource.attributes}

    assert count_items(Signal.TRACES, made.body) == made.spans == 3
    assert attributes == {"service.name": "shop", RUN_ATTRIBUTE: "run-1"}
    assert {span.trace_id for span in (root, *children)} == {made.trace_id}
    assert [span.parent_span_id for span in (root, *children)] == [b"", root.span_id, root.span_id]
    assert len({span.span_id for span in (root, *children)}) == 3
    assert root.status.code == Status.STATUS_CODE_ERROR
    assert max(child.end_time_unix_nano for child in children) <= root.end_time_unix_nano


def test_each_trace_has_an_id_of_its_own() -> None:
    """Random ones."""
    ids = {make_trace("r", "s", spans=1, failed=False, now_ns=0).trace_id for _ in range(50)}

    assert len(ids) == 50
