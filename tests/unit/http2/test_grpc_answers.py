"""Answers of gRPC as frames."""

from hpack import Decoder

from bridge.http2.grpc_answers import (
    Code,
    closing_response,
    further_response,
    message_response,
    opening_response,
    status_response,
)


def _fields(block: bytes) -> dict[str, str]:
    return dict(Decoder().decode(block))


def test_one_message_and_its_status_are_one_answer() -> None:
    """Head, message with its prefix, and the status behind it."""
    response = message_response(b"abc")
    assert _fields(response.head) == {":status": "200", "content-type": "application/grpc"}
    assert response.body == b"\0\0\0\0\3abc"
    assert _fields(response.trailers) == {"grpc-status": "0"}
    assert response.ends


def test_answer_in_parts_has_one_head_and_one_status() -> None:
    """Only the last part ends the stream."""
    first, next_, last = (
        opening_response(b"a"),
        further_response(b"bc"),
        closing_response(Code.UNAVAILABLE, "50 % gone"),
    )
    assert _fields(first.head)[":status"] == "200"
    assert (first.body, first.trailers, first.ends) == (b"\0\0\0\0\1a", b"", False)
    assert (next_.head, next_.body, next_.ends) == (b"", b"\0\0\0\0\2bc", False)
    assert (last.head, last.body, last.ends) == (b"", b"", True)
    assert _fields(last.trailers) == {"grpc-status": "14", "grpc-message": "50 %25 gone"}


def test_status_alone_is_a_head_that_ends_the_stream() -> None:
    """Unknown methods are told which compressions are known."""
    fields = _fields(status_response(Code.UNIMPLEMENTED, "no such method", b"\1\2").head)
    assert fields["grpc-status"] == "12"
    assert fields["grpc-status-details-bin"] == "AQI"
    assert fields["grpc-accept-encoding"] == "identity,gzip,zstd"
