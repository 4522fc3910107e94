"""
OTLP in JSON, and back: hex ids, enums as numbers, 64-bit integers as strings.

Both directions are driven by tables made once from the message descriptors, since protobuf's own
JSON reader takes ids for base64 and costs several times as much.
"""

import json
from typing import Final, NoReturn

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Malformed, Signal, TooLarge
from bridge.wire.limits import RequestLimits
from bridge.wire.otlp_json_reader import message_writer
from bridge.wire.otlp_json_writer import to_object

_REQUESTS: Final[dict[Signal, type[Message]]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
_MARKS: Final = (b"{", b"[", b",")

VALUES_MAX: Final = RequestLimits().values_max
"""What one request may hold where nobody says otherwise."""


def decode(signal: Signal, data: bytes, values_max: int = VALUES_MAX) -> bytes:
    """
    Turn an OTLP/JSON request into the protobuf request of the same meaning.

    Unknown keys are ignored, as OTLP demands; snake_case keys are unknown.

    Args:
        values_max:
            Objects, lists and commas that it may hold, those in texts included: each stands for a
            value that takes some 60 bytes of memory for as little as two of the request.

    Raises:
        Malformed: If it is no JSON, a value does not fit its field, or it is nested too deeply.
        TooLarge: If it holds too many values.
    """
    if len(data) > values_max and sum(map(data.count, _MARKS)) > values_max:
        raise TooLarge(f"the JSON holds more than {values_max:,} values: send smaller batches")
    try:
        document = json.loads(data.decode(), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise Malformed("the JSON is nested too deeply") from error
    except ValueError as error:
        raise Malformed(f"the body is no valid JSON: {error}") from error
    return message_writer(_REQUESTS[signal].DESCRIPTOR)(document, 1)


def encode(signal: Signal, body: bytes) -> bytes:
    """
    Turn a protobuf request into OTLP/JSON, without spaces and with fields in their order.

    Raises:
        Malformed: If *body* is no request of *signal*, or holds text that is no UTF-8.
    """
    try:
        request = _REQUESTS[signal].FromString(body)
    except DecodeError as error:
        raise Malformed(f"the bytes are no {signal.value} request: {error}") from error
    document = to_object(request)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON; write it as a string")
