"""Hashes, against values that others publish or other libraries give."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import OttlError
from bridge.ottl.functions.hashes import fnv1a
from tests.unit.ottl.running import a_span, cursor_at, value_of


@given(st.text(max_size=30))
def test_sha_and_md5_are_those_of_the_bytes(text: str) -> None:
    """UTF-8, in hex."""
    cursor, data = cursor_at(a_span({"t": text})), text.encode()

    for name, digest in (
        ("SHA256", hashlib.sha256),
        ("SHA512", hashlib.sha512),
        ("SHA1", hashlib.sha1),
        ("MD5", hashlib.md5),
    ):
        assert value_of(f'{name}(attributes["t"])', cursor) == digest(data).hexdigest()


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0xCBF29CE484222325), (b"a", 0xAF63DC4C8601EC8C), (b"foobar", 0x85944171F73967E8)],
)
def test_fnv1a_gives_the_published_values(data: bytes, value: int) -> None:
    """As an int with a sign."""
    assert fnv1a(data) % 2**64 == value
    assert -(2**63) <= fnv1a(data) < 2**63


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('XXH3("")', "2d06800538d394c2"),
        ('XXH128("")', "99aa06d3014798d86001c324468d497f"),
        ('Murmur3Hash("")', "00000000"),
        ('Murmur3Hash128("")', "0" * 32),
    ],
)
def test_hash_of_nothing_is_the_published_value(text: str, value: str) -> None:
    """With seed zero."""
    assert value_of(text) == value


def test_hash_of_no_text_fails() -> None:
    """Nothing is turned into text on the way."""
    with pytest.raises(OttlError, match="expected string but got int"):
        value_of('SHA256(attributes["n"])', cursor_at(a_span({"n": 5})))
    with pytest.raises(OttlError, match="nil"):
        value_of('SHA256(attributes["none"])')
