"""Zipkin's JSON, version 2: all spans of a request in one list."""

import ipaddress
import json
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from bridge.core import Malformed
from bridge.exporters.kafka.encodings.encoding import Encoded
from bridge.exporters.kafka.encodings.go_json import map_to_json, to_text
from bridge.wire import COPIED_BYTES_MAX, Allowance

NO_SERVICE = "OTLPResourceNoServiceName"

_SERVICE_SOURCES = ("faas.name", "k8s.deployment.name", "process.executable.name")
_SOURCE_TAG = "otlp.service.name.source"
_KINDS = {
    Span.SpanKind.SPAN_KIND_SERVER: "SERVER",
    Span.SpanKind.SPAN_KIND_CLIENT: "CLIENT",
    Span.SpanKind.SPAN_KIND_PRODUCER: "PRODUCER",
    Span.SpanKind.SPAN_KIND_CONSUMER: "CONSUMER",
}
_STATUS = {
    Status.StatusCode.STATUS_CODE_OK: "STATUS_CODE_OK",
    Status.StatusCode.STATUS_CODE_ERROR: "STATUS_CODE_ERROR",
}
_PORT_MAX = 0xFFFF

Tags = dict[str, str]


def encode_zipkin_json(
    body: bytes, items: int, copied_bytes_max: int = COPIED_BYTES_MAX
) -> list[Encoded]:
    """
    One record with the list of all spans, each of which repeats its resource.

    Raises:
        Malformed: If the request cannot be read, or a span has no trace id or no span id, without
            which Zipkin has no spans.
        TooLarge: If the record would exceed it by more than about *copied_bytes_max* bytes.
    """
    allowance = Allowance(len(body), copied_bytes_max)
    try:
        data = TracesData.FromString(body)
    except DecodeError as error:
        raise Malformed("the spans are no valid protobuf") from error
    spans: list[dict[str, Any]] = []
    for resource in data.resource_spans:
        tags = _texts(resource.resource.attributes)
        service = _service(tags)
        for scope in resource.scope_spans:
            # As in the Collector, a scope without a name inherits that of the one before it.
            if scope.scope.name:
                tags["otel.library.name"] = scope.scope.name
            if scope.scope.version:
                tags["otel.library.version"] = scope.scope.version
            common_bytes = sum(len(name) + len(text) for name, text in tags.items())
            allowance.take(common_bytes * len(scope.spans))
            spans.extend(_span(span, service, tags) for span in scope.spans)
    text = json.dumps(spans, ensure_ascii=False, separators=(",", ":"))
    return [Encoded(text.encode(), items)]


def _span(span: Span, service: str, common: Tags) -> dict[str, Any]:
    if not any(span.trace_id) or not any(span.span_id):
        raise Malformed("a span without trace id or span id cannot be written as Zipkin JSON")
    tags = common | _texts(span.attributes)
    if span.trace_state:
        tags["w3c.tracestate"] = span.trace_state
    if span.kind == Span.SpanKind.SPAN_KIND_INTERNAL:
        tags["span.kind"] = "internal"
    local = _endpoint(tags, service, "net.host")
    remote = _endpoint(tags, tags.get("peer.service", ""), "net.peer")
    for key in ("peer.service", "net.host.ip", "net.host.port", "net.peer.ip", "net.peer.port"):
        tags.pop(key, None)
    _add_status(span.status, tags)
    _add_links(span, tags)
    made: dict[str, Any] = {}
    if span.start_time_unix_nano >= 1_000_000_000:
        made["timestamp"] = (span.start_time_unix_nano + 500) // 1000
    if duration_us := _duration_us(span):
        made["duration"] = duration_us
    made["traceId"] = _trace_id(span.trace_id)
    made["id"] = span.span_id.hex()
    if any(span.parent_span_id):
        made["parentId"] = span.parent_span_id.hex()
    if span.name:
        made["name"] = span.name.lower()
    if span.kind in _KINDS:
        made["kind"] = _KINDS[span.kind]
    if local:
        made["localEndpoint"] = local
    if remote:
        made["remoteEndpoint"] = remote
    if span.events:
        made["annotations"] = [_annotation(event) for event in span.events]
    if tags:
        made["tags"] = dict(sorted(tags.items()))
    return made


def _duration_us(span: Span) -> int:
    if not span.end_time_unix_nano:
        return 0
    duration_ns = span.end_time_unix_nano - span.start_time_unix_nano
    if duration_ns < 0:
        raise Malformed("a span that ends before it starts cannot be written as Zipkin JSON")
    if 0 < duration_ns < 1000:
        return 1
    return (duration_ns + 500) // 1000


def _add_status(status: Status, tags: Tags) -> None:
    if status.code == Status.StatusCode.STATUS_CODE_ERROR:
        tags["error"] = "true"
    else:
        # Zipkin shows every span with this tag as failed, whatever its value.
        tags.pop("error", None)
    if status.code in _STATUS:
        tags["otel.status_code"] = _STATUS[status.code]
        if status.message:
            tags["otel.status_description"] = status.message


def _add_links(span: Span, tags: Tags) -> None:
    for number, link in enumerate(span.links):
        tags[f"otlp.link.{number}"] = "|".join(
            (
                link.trace_id.hex(),
                link.span_id.hex(),
                link.trace_state,
                map_to_json(link.attributes),
                str(link.dropped_attributes_count),
            )
        )


def _annotation(event: Span.Event) -> dict[str, Any]:
    value = event.name
    if event.attributes or event.dropped_attributes_count:
        attributes = map_to_json(event.attributes)
        value = f"{event.name}|{attributes}|{event.dropped_attributes_count}"
    return {"timestamp": (event.time_unix_nano + 500) // 1000, "value": value}


def _texts(attributes: Iterable[KeyValue]) -> Tags:
    return {one.key: to_text(one.value) for one in attributes}


def _service(tags: Tags) -> str:
    """The service's name, taken out of *tags*."""
    if "service.name" in tags:
        return tags.pop("service.name")
    for source in _SERVICE_SOURCES:
        if source in tags:
            tags[_SOURCE_TAG] = source
            return tags.pop(source)
    return NO_SERVICE


def _endpoint(tags: Tags, service: str, prefix: str) -> dict[str, Any]:
    address = _address(tags.get(f"{prefix}.ip", ""))
    if not service and address is None:
        return {}
    made: dict[str, Any] = {}
    if service:
        made["serviceName"] = service.lower()
    if address is not None:
        made["ipv6" if address.version == 6 else "ipv4"] = str(address)
    port = tags.get(f"{prefix}.port", "")
    if port.isascii() and port.isdigit() and 0 < int(port) <= _PORT_MAX:
        made["port"] = int(port)
    return made


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _trace_id(trace_id: bytes) -> str:
    """Hex; 16 digits if the upper half is zero."""
    digits = trace_id.hex()
    return digits[16:] if len(digits) == 32 and not any(trace_id[:8]) else digits
