"""
``raw``, ``text`` and ``json``: a record's value as the body of one log record.

The time of observation is the record's, so that reading it again gives the same log record.
"""

import json
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from bridge.core import Malformed

_DEPTH_MAX = 64  # JSON deeper than this is an attack and no log.
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


def from_raw(value: bytes, timestamp_ms: int) -> bytes:
    """The bytes as they are."""
    return _request(AnyValue(bytes_value=value), timestamp_ms)


def from_text(value: bytes, timestamp_ms: int, charset: str) -> bytes:
    """
    The text.

    Raises:
        Malformed: If the bytes are no text in *charset*.
    """
    try:
        text = value.decode(charset)
    except UnicodeError as error:
        raise Malformed(f"the record is no {charset} text: {error}") from error
    return _request(AnyValue(string_value=text), timestamp_ms)


def from_json(value: bytes, timestamp_ms: int) -> bytes:
    """
    The document, as a value with the structure it has.

    Raises:
        Malformed: If it is no JSON, or nested too deeply.
    """
    try:
        document = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the record is no JSON: {error}") from error
    body = AnyValue()
    try:
        _fill(body, document, _DEPTH_MAX)
    except (ValueError, OverflowError) as error:  # Half a surrogate pair, or a number too large.
        raise Malformed(f"the record's JSON holds what no text or number can: {error}") from error
    return _request(body, timestamp_ms)


def _request(body: AnyValue, timestamp_ms: int) -> bytes:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.CopyFrom(body)
    record.observed_time_unix_nano = max(0, timestamp_ms) * 1_000_000
    return request.SerializeToString()


def _fill(target: AnyValue, value: Any, depth: int) -> None:
    if depth == 0:
        raise Malformed("the JSON is nested too deeply")
    match value:
        case None:
            return
        case bool():
            target.bool_value = value
        case int() if _INT_MIN <= value <= _INT_MAX:
            target.int_value = value
        case int() | float():
            target.double_value = float(value)
        case str():
            target.string_value = value
        case list():
            target.array_value.SetInParent()
            for entry in value:
                _fill(target.array_value.values.add(), entry, depth - 1)
        case dict():
            target.kvlist_value.SetInParent()
            for key, entry in value.items():
                _fill(target.kvlist_value.values.add(key=key).value, entry, depth - 1)
