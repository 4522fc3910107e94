"""Which requests are malformed, and header blocks of answers."""

import pytest
from hpack import Decoder

from bridge.http2.frames import ErrorCode, StreamFault
from bridge.http2.head import check_trailers, encode_fields, parse_head
from tests.unit.http2.wire import REQUEST


def test_head_of_a_request_is_read() -> None:
    """Pseudo-headers and fields are told apart; the first value of a name counts."""
    head = parse_head(1, (*REQUEST, (b"x-a", b"1"), (b"x-a", b"2"), (b"content-length", b"7")))

    assert (head.method, head.path, head.authority) == (b"POST", b"/a/B", b"localhost")
    assert head.get(b"x-a") == b"1"
    assert head.get(b"x-b") is None
    assert head.content_length == 7


@pytest.mark.parametrize(
    "fields",
    [
        ((b":method", b"POST"), (b":scheme", b"http")),
        ((b":method", b"POST"), (b":path", b"/")),
        ((b":path", b"/"), (b":scheme", b"http")),
        ((b":method", b"POST"), (b":scheme", b"http"), (b":path", b"")),
        (*REQUEST, (b":path", b"/")),
        (*REQUEST, (b":status", b"200")),
        ((b"x-a", b"1"), *REQUEST),
        (*REQUEST, (b"X-A", b"1")),
        (*REQUEST, (b"x a", b"1")),
        (*REQUEST, (b"", b"1")),
        (*REQUEST, (b"x-a", b"1\r\nx-b: 2")),
        (*REQUEST, (b"x-a", b"\0")),
        (*REQUEST, (b"connection", b"close")),
        (*REQUEST, (b"transfer-encoding", b"chunked")),
        (*REQUEST, (b"te", b"gzip")),
        (*REQUEST, (b"content-length", b"-1")),
        (*REQUEST, (b"content-length", b"1"), (b"content-length", b"2")),
    ],
)
def test_head_malformed_is_a_stream_error(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    """Each rule of RFC 9113 section 8 that is broken resets the stream with PROTOCOL_ERROR."""
    with pytest.raises(StreamFault) as fault:
        parse_head(5, fields)

    assert (fault.value.stream_id, fault.value.code) == (5, ErrorCode.PROTOCOL_ERROR)


def test_trailers_with_pseudo_headers_are_malformed() -> None:
    """Trailers hold regular fields only."""
    check_trailers(1, [(b"x-a", b"1")])

    with pytest.raises(StreamFault):
        check_trailers(1, [(b":path", b"/")])


@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 300, 40_000])
def test_encoded_fields_are_read_by_the_reference(length: int) -> None:
    """Blocks are valid HPACK for values of every length, and leave the table alone."""
    fields = ((b":status", b"200"), (b"grpc-message", b"x" * length))
    decoder = Decoder(max_header_list_size=1 << 20)

    decoded = decoder.decode(encode_fields(fields), raw=True)

    assert list(fields) == [tuple(field) for field in decoded]
    assert not decoder.header_table.dynamic_entries
