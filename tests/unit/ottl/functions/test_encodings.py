"""Converters between encodings."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import OttlError, OttlSyntaxError
from bridge.ottl.functions.encodings import decode64, encode64
from tests.unit.ottl.running import a_span, cursor_at, value_of

VARIANTS = ["base64", "base64-raw", "base64-url", "base64-raw-url"]


@given(st.binary(max_size=20), st.sampled_from(VARIANTS))
def test_decode64_undoes_encode64(data: bytes, variant: str) -> None:
    """In all four variants, line breaks between."""
    text = encode64(data, variant)

    assert decode64(text.encode(), variant) == data
    assert decode64(b"\r\n".join([text.encode()[:2], text.encode()[2:]]), variant) == data
    assert text.rstrip("=") == (base64.urlsafe_b64encode if "url" in variant else base64.b64encode)(
        data
    ).decode().rstrip("=")


@pytest.mark.parametrize(
    ("data", "variant"),
    [
        (b"YQ", "base64"),
        (b"YQ==", "base64-raw"),
        (b"-_8=", "base64"),
        (b"+/8=", "base64-url"),
        (b"Y!==", "base64"),
        (b"Y", "base64-raw"),
    ],
)
def test_decode64_of_another_variant_is_an_error(data: bytes, variant: str) -> None:
    """Padding and letters are those of the variant."""
    with pytest.raises(OttlError):
        decode64(data, variant)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('Base64Decode("YWI=")', "ab"),
        ('Base64Encode("ab")', "YWI="),
        ('Base64Encode("ab", "base64-raw")', "YWI"),
        ('Decode("YWI", "base64-raw")', "ab"),
        ('Decode(0x6162, "utf-8")', "ab"),
        ('Decode(0x61e9, "ISO-8859-1")', "aé"),
        ('Decode(0x61ff, "utf-8")', "a\ufffd"),
        ('Decode(0x6100, "utf-16")', "a"),
        ('Decode("ab", "nop")', "ab"),
    ],
)
def test_converter_gives(text: str, value: str) -> None:
    """Bytes that are no character become one that says so."""
    assert value_of(text) == value


def test_decode_unknown_encoding_is_refused_at_start_or_fails() -> None:
    """As a literal at start, from an attribute on the item."""
    cursor = cursor_at(a_span({"e": "nope", "t": "x"}))

    for name in ("nope", "hex"):
        with pytest.raises(OttlSyntaxError, match="encoding"):
            value_of(f'Decode("ab", "{name}")')
    with pytest.raises(OttlError, match="nope"):
        value_of('Decode(attributes["t"], attributes["e"])', cursor)
    with pytest.raises(OttlError, match="decoded"):
        value_of('Decode(1, "utf-8")', cursor)
    with pytest.raises(OttlError, match="variant"):
        value_of('Base64Encode("a", attributes["e"])', cursor)
