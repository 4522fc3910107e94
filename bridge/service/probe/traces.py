"""Synthetic traces that can be told from all others."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

RUN_ATTRIBUTE = "otlp_bridge.send.run"
"""Resource attribute with the id of one run of the verb, for conditions and searches."""

_SPAN_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Made:
    """One trace as a request of its own."""

    trace_id: bytes
    body: bytes
    spans: int


def make_trace(
    run: str,
    service: str,
    *,
    spans: int,
    failed: bool,
    now_ns: int,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Made:
    """
    A root span with *spans* - 1 children, each a millisecond long.

    Args:
        failed: Whether the root ended in an error, which samplers commonly keep.
    """
    trace_id = random_bytes(16)
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(
        [_attribute("service.name", service), _attribute(RUN_ATTRIBUTE, run)]
    )
    scope = resource.scope_spans.add()
    scope.scope.name = "otlp-bridge send"
    root_id = random_bytes(8)
    for number in range(spans):
        span = scope.spans.add(
            trace_id=trace_id,
            span_id=random_bytes(8) if number else root_id,
            parent_span_id=root_id if number else b"",
            name="send" if not number else f"step {number}",
            kind=Span.SPAN_KIND_INTERNAL if number else Span.SPAN_KIND_SERVER,
            start_time_unix_nano=now_ns + number * _SPAN_NS,
            end_time_unix_nano=now_ns + (number + 1) * _SPAN_NS,
        )
        if failed and not number:
            span.status.code = Status.STATUS_CODE_ERROR
            span.end_time_unix_nano = now_ns + spans * _SPAN_NS
    return Made(trace_id, request.SerializeToString(), spans)


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
