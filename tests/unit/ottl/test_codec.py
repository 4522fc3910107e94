"""``AnyValue`` and ``KeyValue`` read from bytes that nobody has looked at before."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl.codec import decode, encode, split_pair
from bridge.ottl.errors import OttlError

BROKEN = [
    b"\x0a",  # Text without a length.
    b"\x0a\x02x",
    b"\x0a\x80\x01x",
    b"\x10\x80",  # Varints that go on behind the end.
    b"\x18\x80",
    b"\x18\x80\x80",
    b"\x18\x05\x0a",  # A field behind the number that is only begun.
    b"\x21\x00",
]


@pytest.mark.parametrize("data", BROKEN)
def test_decode_of_a_truncated_value_raises_an_ottl_error(data: bytes) -> None:
    """Any other error would have a Kafka record tried again for ever."""
    with pytest.raises(OttlError, match="no valid protobuf"):
        decode(data)


@given(st.binary(max_size=12))
def test_decode_and_split_pair_of_any_bytes_raise_nothing_but_ottl_errors(data: bytes) -> None:
    """Attributes are not looked at when a request comes in: these functions see them first."""
    for read in (decode, split_pair):
        with contextlib.suppress(OttlError):
            read(data)


@given(st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.text(max_size=200))
def test_decode_gives_back_what_encode_took(value: int | bool | str) -> None:
    """Whatever size its length or number has, and of its own type."""
    found = decode(encode(value))

    assert (type(found), found) == (type(value), value)
