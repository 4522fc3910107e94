"""What senders are told."""

import json

import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bridge.core import (
    BridgeError,
    Denied,
    Interrupted,
    Malformed,
    Overloaded,
    Refused,
    TooLarge,
    Unavailable,
)
from bridge.receivers.otlp.status import encode_response, judge


@pytest.mark.parametrize(
    ("error", "code", "http_status", "retries"),
    [
        (Overloaded("full", retry_after_s=2.0), 14, 503, True),
        (Unavailable("away"), 14, 503, False),
        (Unavailable("away", retry_after_s=3.0), 14, 503, True),
        (Interrupted("stopping"), 14, 503, False),
        (Denied("no ACL"), 14, 503, False),
        (Malformed("bytes"), 3, 400, False),
        (Refused("no"), 3, 400, False),
        (TooLarge("big"), 8, 413, False),
    ],
)
def test_error_is_judged(error: BridgeError, code: int, http_status: int, retries: bool) -> None:
    """As section 6 of the design has it; never UNKNOWN, never INTERNAL."""
    verdict = judge(error)

    assert (verdict.code, verdict.http_status) == (code, http_status)
    assert (verdict.retry_after_s is not None) is retries
    assert (verdict.retry_after_header is not None) is retries


def test_status_with_a_retry_delay_is_read_by_google() -> None:
    """In protobuf and in JSON, the delay spread by a quarter at most."""
    verdict = judge(Overloaded("full", retry_after_s=2.0))

    status = Status.FromString(verdict.to_protobuf())
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    delay_s = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
    assert (status.code, status.message) == (14, "full")
    assert 1.5 <= delay_s <= 2.5

    from_json = json_format.Parse(verdict.to_json(), Status())
    assert from_json.details[0].Unpack(info)
    assert pytest.approx(delay_s, abs=1e-3) == info.retry_delay.seconds + (
        info.retry_delay.nanos / 1e9
    )


def test_status_of_bad_data_says_what_is_bad() -> None:
    """With BadRequest details, in protobuf and in JSON."""
    verdict = judge(Malformed("at byte 7"))

    for status in (
        Status.FromString(verdict.to_protobuf()),
        json_format.Parse(verdict.to_json(), Status()),
    ):
        details = BadRequest()
        assert status.details[0].Unpack(details)
        assert details.field_violations[0].description == "at byte 7"


def test_status_text_is_bounded() -> None:
    """Texts of backends may be long; answers are not."""
    assert len(json.loads(judge(Refused("x" * 100_000)).to_json())["message"]) == 1_024


def test_response_is_empty_unless_there_is_something_to_say() -> None:
    """`partial_success` is set only then, with the exact count."""
    partial = ExportTraceServiceResponse.FromString(encode_response(300, "too large"))

    assert encode_response(0, "") == b""
    assert partial.partial_success.rejected_spans == 300
    assert partial.partial_success.error_message == "too large"
