"""Messages to objects; the whole is proved in `test_otlp_json`."""

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.wire.otlp_json_writer import to_object


def test_object_has_hex_ids_and_wide_numbers_as_text() -> None:
    """And nothing that is not set."""
    span = Span(trace_id=b"\x01" * 16, kind=2, start_time_unix_nano=1)

    assert to_object(span) == {"traceId": "01" * 16, "kind": 2, "startTimeUnixNano": "1"}
