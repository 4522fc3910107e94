"""What Zipkin's and Jaeger's tags mean to OTLP: kinds, statuses, scopes."""

from collections.abc import MutableMapping
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from bridge.core import Malformed

KINDS = {
    "internal": Span.SPAN_KIND_INTERNAL,
    "server": Span.SPAN_KIND_SERVER,
    "client": Span.SPAN_KIND_CLIENT,
    "producer": Span.SPAN_KIND_PRODUCER,
    "consumer": Span.SPAN_KIND_CONSUMER,
}
"""Span kinds by the value of the tag ``span.kind``."""

_CODES = {"OK": Status.STATUS_CODE_OK, "ERROR": Status.STATUS_CODE_ERROR}
_FALSE = (False, "false")

Tags = MutableMapping[str, Any]
"""Tag names to values; what is understood is taken out."""


def take_kind(span: Span, tags: Tags) -> None:
    """Set the kind that ``span.kind`` names; a value that is none stays a tag."""
    kind = KINDS.get(str(tags.get("span.kind", "")).lower())
    if kind is not None:
        del tags["span.kind"]
        span.kind = kind


def take_status(span: Span, tags: Tags) -> None:
    """Set the status that ``otel.status_code`` or ``error`` tells of."""
    code = _CODES.get(str(tags.get("otel.status_code", "")).upper())
    if code is not None:
        del tags["otel.status_code"]
        span.status.code = code
        span.status.message = str(tags.pop("otel.status_description", ""))
    elif "error" in tags and tags["error"] not in _FALSE:
        error = tags["error"]
        span.status.code = Status.STATUS_CODE_ERROR
        if isinstance(error, str) and error not in ("", "true"):
            span.status.message = error
        else:
            del tags["error"]


def take_scope(scope: ScopeSpans, tags: Tags) -> None:
    """Set name and version of the instrumentation scope from its tags of either generation."""
    for prefix in ("otel.library", "otel.scope"):
        scope.scope.name = str(tags.pop(f"{prefix}.name", scope.scope.name))
        scope.scope.version = str(tags.pop(f"{prefix}.version", scope.scope.version))


def add_attributes(target: Any, tags: Tags) -> None:
    """Add *tags* to a list of OTLP attributes, each with the type it has."""
    for key, value in tags.items():
        content = target.add(key=key).value
        match value:
            case bool():
                content.bool_value = value
            case int():
                content.int_value = value
            case float():
                content.double_value = value
            case bytes():
                content.bytes_value = value
            case _:
                content.string_value = str(value)


def checked_id(raw: bytes, size: int, what: str) -> bytes:
    """
    An id of *size* bytes, shorter ones filled up with zeros in front.

    Raises:
        Malformed: If it is empty, all zeros or longer.
    """
    if not raw.strip(b"\0") or len(raw) > size:
        raise Malformed(f"a span has no valid {what}")
    return raw.rjust(size, b"\0")
