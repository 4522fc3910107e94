"""The traces in a Kafka record, whoever wrote it: keyed as a Collector does, or packed."""

import contextlib
from collections.abc import Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.core import Malformed
from bridge.kafka import SampledRecord
from bridge.wire import is_trace_id

_PACKING_HEADER = "bridge-packing"
_KEY_DIGITS = 32


def newest_end_s(record: SampledRecord) -> float:
    """
    When the last span in *record* ended by its writer's clock, in seconds since the epoch; 0 for
    none, also where the value is no traces in otlp_proto.
    """
    try:
        request = ExportTraceServiceRequest.FromString(record.value or b"")
    except DecodeError:
        return 0.0
    return max((span.end_time_unix_nano for span in _spans(request)), default=0) / 1e9


def traces_of(record: SampledRecord) -> set[bytes]:
    """
    The ids of the traces in *record*: its key if that is one, otherwise those in its value.

    Raises:
        Malformed: If the value must be read and is no traces in otlp_proto.
    """
    key = record.key or b""
    packed = any(name == _PACKING_HEADER for name, _ in record.headers)
    if not packed and len(key) == _KEY_DIGITS:
        with contextlib.suppress(ValueError):
            return {bytes.fromhex(key.decode("ascii"))}
    try:
        request = ExportTraceServiceRequest.FromString(record.value or b"")
    except DecodeError as error:
        raise Malformed("the record is no traces in otlp_proto") from error
    return {span.trace_id for span in _spans(request) if is_trace_id(span.trace_id)}


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans
