"""What answers of backends mean; details are built with Google's own messages."""

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bridge.core import ACCEPTED, Denied, Receipt, Refused, TooLarge, Unavailable
from bridge.flow import grpc_error, http_error, receipt_of, status_message
from bridge.flow.otlp_answers import retry_after_s, retry_info_s

NOW_S = 1_750_000_000.0  # 2025-06-15 15:06:40 UTC


def details(seconds: int, nanos: int = 0) -> bytes:
    status = Status(code=14, message="busy")
    other, wanted = Any(), Any()
    other.Pack(BadRequest())
    wanted.Pack(RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos)))
    status.details.extend([other, wanted])
    return status.SerializeToString()


@pytest.mark.parametrize("code", [1, 4, 10, 11, 14, 15])
def test_grpc_retryable_codes(code) -> None:
    """The codes that the specification lists are retried, with a hint if there is one."""
    assert type(grpc_error(code, "", b"", "b")) is Unavailable
    error = grpc_error(code, "", details(3, 500_000_000), "b")
    assert isinstance(error, Unavailable)
    assert error.retry_after_s == 3.5


@pytest.mark.parametrize("code", [2, 3, 5, 6, 9, 12, 13, 99])
def test_grpc_other_codes_are_final(code) -> None:
    """Everything else is refused for good, hint or not."""
    assert type(grpc_error(code, "", details(3), "b")) is Refused


def test_grpc_resource_exhausted_depends_on_its_hint() -> None:
    """RESOURCE_EXHAUSTED is retried only if the backend says when."""
    assert type(grpc_error(8, "", b"", "b")) is Refused
    assert type(grpc_error(8, "", details(2), "b")) is Unavailable


@pytest.mark.parametrize("code", [7, 16])
def test_grpc_denials_are_about_us(code) -> None:
    """Missing rights are never blamed on the data."""
    error = grpc_error(code, "who are you", b"", "backend:4317")

    assert isinstance(error, Denied)
    assert error.hint
    assert "backend:4317" in str(error)
    assert "who are you" in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (401, Denied),
        (403, Denied),
        (413, TooLarge),
        (400, Refused),
        (404, Refused),
        (408, Refused),
        (500, Refused),
        (501, Refused),
        (505, Refused),
    ],
)
def test_http_statuses(status, kind) -> None:
    """Only 429, 502, 503 and 504 are retried."""
    assert type(http_error(status, {}, "", "b", NOW_S)) is kind


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Sun, 15 Jun 2025 15:07:10 GMT", 30.0),
        ("Sun, 15 Jun 2025 15:06:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("99999999999999999999", None),
    ],
)
def test_retry_after_in_both_forms(value, expected) -> None:
    """Seconds and dates are read; a date in the past means now, nonsense means nothing."""
    assert retry_after_s(value, NOW_S) == expected


def test_partial_success_is_read_for_every_signal() -> None:
    """The three response messages have one shape."""
    traces = ExportTraceServiceResponse()
    traces.partial_success.rejected_spans = 300
    traces.partial_success.error_message = "too\nold"
    logs = ExportLogsServiceResponse()
    logs.partial_success.rejected_log_records = 1

    assert receipt_of(traces.SerializeToString()) == Receipt(300, "too old")
    assert receipt_of(logs.SerializeToString()) == Receipt(1, "")


def test_warning_without_rejection_is_kept() -> None:
    """A message alone is a warning."""
    response = ExportTraceServiceResponse()
    response.partial_success.error_message = "deprecated"

    assert receipt_of(response.SerializeToString()) == Receipt(0, "deprecated")


def test_full_success_is_accepted() -> None:
    """An unset and an empty partial success both mean that all was taken."""
    response = ExportTraceServiceResponse()
    response.partial_success.SetInParent()

    assert receipt_of(b"") is ACCEPTED
    assert receipt_of(response.SerializeToString()) is ACCEPTED


def test_long_messages_are_cut() -> None:
    """A backend cannot fill our log with one line."""
    error = grpc_error(3, "x" * 100_000, b"", "b")

    assert len(str(error)) < 1000


def test_status_message_is_read() -> None:
    """The message of a google.rpc.Status body is found."""
    assert status_message(Status(code=3, message="bad span").SerializeToString()) == "bad span"


@given(st.binary(max_size=200))
def test_hostile_answers_do_no_harm(data) -> None:
    """Whatever bytes come, reading them ends in an ordinary value."""
    assert retry_info_s(data) is None or isinstance(retry_info_s(data), float)
    assert isinstance(status_message(data), str)
    assert receipt_of(data).rejected_items >= 0
