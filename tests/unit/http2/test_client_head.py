"""Header blocks of requests, and what is demanded of answers."""

import pytest

from bridge.http2.client_head import encode_request, status_of, take_fields
from bridge.http2.frames import StreamFault
from bridge.http2.header_decoder import HeaderDecoder


def test_request_decodes_to_its_fields_again_and_leaves_no_trace() -> None:
    """Values of any length; the other side's table stays empty."""
    fields = [
        (b":method", b"POST"),
        (b"te", b"trailers"),
        (b"x", b"v" * 126),
        (b"y", b"v" * 70_000),
    ]
    decoder = HeaderDecoder()
    version = decoder.version

    assert decoder.decode(encode_request(fields)) == fields
    assert decoder.version == version


def test_secrets_are_never_indexed() -> None:
    """Whoever passes credentials on must not keep them in a table (RFC 7541, section 7.1.3)."""
    starts = [encode_request([(name, b"v")])[0] for name in (b"authorization", b"x-key", b"te")]

    assert starts == [0x10, 0x10, 0x00]


@pytest.mark.parametrize("fields", [[], [(b"a", b"b")], [(b":status", b"ok")]])
def test_answer_without_status_is_refused(fields: list[tuple[bytes, bytes]]) -> None:
    """The first field says how it went."""
    with pytest.raises(StreamFault):
        status_of(1, fields)


def test_values_that_no_value_may_hold_are_refused() -> None:
    """They would split what they are written into."""
    into: dict[bytes, bytes] = {}
    with pytest.raises(StreamFault):
        take_fields(1, [(b"a", b"b\r\nc")], into)

    assert into == {}
    take_fields(1, [(b"a", b"1"), (b"a", b"2")], into)
    assert into == {b"a": b"2"}
