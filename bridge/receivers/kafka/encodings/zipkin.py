"""``zipkin_json``: a list of Zipkin V2 spans."""

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.core import Malformed
from bridge.receivers.kafka.encodings.tags import (
    KINDS,
    add_attributes,
    checked_id,
    take_kind,
    take_scope,
    take_status,
)

_US_NS = 1000
_TIME_US_MAX = (2**64 - 1) // _US_NS


def from_zipkin_json(value: bytes) -> bytes:
    """
    The spans as OTLP, one resource for each service.

    Raises:
        Malformed: If it is no list of Zipkin spans.
    """
    try:
        spans = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the record is no JSON: {error}") from error
    if not isinstance(spans, list) or not all(isinstance(span, dict) for span in spans):
        raise Malformed("the record is no list of Zipkin spans")
    request = ExportTraceServiceRequest()
    resources: dict[str, Any] = {}
    try:
        for span in spans:
            _add(request, resources, span)
    except (TypeError, AttributeError, ValueError, OverflowError) as error:
        raise Malformed(f"the record is no list of Zipkin spans: {error}") from error
    return request.SerializeToString()


def _add(request: Any, resources: dict[str, Any], source: dict[str, Any]) -> None:
    local, remote = source.get("localEndpoint") or {}, source.get("remoteEndpoint") or {}
    tags = {str(key): str(text) for key, text in (source.get("tags") or {}).items()}
    service = str(local.get("serviceName") or tags.pop("service.name", "unknown"))
    resource = resources.get(service)
    if resource is None:
        resource = resources[service] = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = service
    scope = resource.scope_spans.add()
    take_scope(scope, tags)
    span = scope.spans.add()
    _fill(span, source, tags)
    add_attributes(span.attributes, tags)
    if remote.get("serviceName"):
        add_attributes(span.attributes, {"peer.service": str(remote["serviceName"])})
    add_attributes(span.attributes, _address("net.host", local) | _address("net.peer", remote))


def _fill(span: Span, source: dict[str, Any], tags: dict[str, Any]) -> None:
    span.trace_id = checked_id(_unhex(source.get("traceId")), 16, "traceId")
    span.span_id = checked_id(_unhex(source.get("id")), 8, "id")
    if source.get("parentId"):
        span.parent_span_id = checked_id(_unhex(source["parentId"]), 8, "parentId")
    span.name = str(source.get("name") or "")
    take_kind(span, tags)
    kind = KINDS.get(str(source.get("kind") or "").lower())
    if kind is not None:
        span.kind = kind
    take_status(span, tags)
    start_us, duration_us = _time_us(source.get("timestamp")), _time_us(source.get("duration"))
    span.start_time_unix_nano = start_us * _US_NS
    span.end_time_unix_nano = _time_us(start_us + duration_us) * _US_NS
    for annotation in source.get("annotations") or ():
        event = span.events.add(name=str(annotation.get("value") or ""))
        event.time_unix_nano = _time_us(annotation.get("timestamp")) * _US_NS


def _unhex(text: Any) -> bytes:
    digits = str(text or "")
    return bytes.fromhex("0" * (len(digits) % 2) + digits)


def _time_us(value: Any) -> int:
    number = int(value or 0)
    if not 0 <= number <= _TIME_US_MAX:
        raise ValueError(f"{number} is no time in microseconds")
    return number


def _address(prefix: str, endpoint: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    address = endpoint.get("ipv4") or endpoint.get("ipv6")
    if address:
        found[f"{prefix}.ip"] = str(address)
    if endpoint.get("port"):
        found[f"{prefix}.port"] = int(endpoint["port"])
    return found
