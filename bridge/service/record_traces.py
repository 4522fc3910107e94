"""The traces in a Kafka record, whoever wrote it: keyed as a Collector does, or packed."""

import contextlib

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Malformed
from bridge.kafka import SampledRecord
from bridge.wire import is_trace_id

_PACKING_HEADER = "bridge-packing"
_KEY_DIGITS = 32


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
    spans = (
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )
    return {span.trace_id for span in spans if is_trace_id(span.trace_id)}
