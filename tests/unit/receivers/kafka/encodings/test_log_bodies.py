"""Values that become the body of a log record."""

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from bridge.core import Malformed
from bridge.receivers.kafka.encodings.log_bodies import from_json, from_raw, from_text


def _record(request: bytes) -> Any:
    (resource,) = ExportLogsServiceRequest.FromString(request).resource_logs
    (scope,) = resource.scope_logs
    (record,) = scope.log_records
    return record


def test_raw_keeps_the_bytes() -> None:
    """Bytes stay bytes, seen when the record was written."""
    record = _record(from_raw(b"\xff\x00", 5))

    assert record.body.bytes_value == b"\xff\x00"
    assert record.observed_time_unix_nano == 5_000_000


def test_raw_read_again_is_the_same() -> None:
    """A record that is delivered twice gives the same log record."""
    assert from_raw(b"x", 5) == from_raw(b"x", 5)


def test_text_is_decoded() -> None:
    """The charset decides; what is no text in it is malformed."""
    assert _record(from_text("ä".encode("utf-16"), 5, "utf-16")).body.string_value == "ä"
    with pytest.raises(Malformed, match="no utf-8 text"):
        from_text(b"\xff", 5, "utf-8")


def test_json_keeps_its_structure() -> None:
    """Objects, lists and scalars keep their types; numbers too large for an integer are floats."""
    document = {"a": [1, 2.5, True, None, "x"], "b": {}, "c": [], "big": 2**63}

    body = _record(from_json(json.dumps(document).encode(), 5)).body

    values = {pair.key: pair.value for pair in body.kvlist_value.values}
    kinds = [entry.WhichOneof("value") for entry in values["a"].array_value.values]
    assert kinds == ["int_value", "double_value", "bool_value", None, "string_value"]
    assert values["b"].WhichOneof("value") == "kvlist_value"
    assert values["c"].WhichOneof("value") == "array_value"
    assert values["big"].double_value == 2.0**63


@pytest.mark.parametrize(
    "text", [b"{", b"[" * 100 + b"]" * 100, b"\xff", b"[" * 100_000, b'"\\ud800"']
)
def test_json_that_is_none_is_malformed(text: bytes) -> None:
    """Broken or endlessly nested JSON is the record's fault."""
    with pytest.raises(Malformed):
        from_json(text, 5)


def test_json_number_beyond_any_float_is_malformed() -> None:
    """A number that no OTLP value can hold is the record's fault."""
    with pytest.raises(Malformed):
        from_json(b"1" + b"0" * 400, 5)
