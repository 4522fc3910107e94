"""The first bytes of a connection."""

import pytest

from bridge.http2.frames import PREFACE, ConnectionFault
from bridge.http2.preface import has_preface


def test_the_preface_is_waited_for() -> None:
    """It is there with its last byte, whatever follows."""
    assert not any(has_preface(PREFACE[:end]) for end in range(len(PREFACE)))
    assert has_preface(PREFACE)
    assert has_preface(PREFACE + b"more")


@pytest.mark.parametrize(
    ("first", "foreign"),
    [(b"GET / HTTP/1.1", "HTTP/1"), (b"\x16\x03\x01", "TLS"), (b"\0", ""), (b"PRI * HTTP/1", "")],
)
def test_other_languages_are_named(first: bytes, foreign: str) -> None:
    """As soon as it cannot be the preface any more."""
    with pytest.raises(ConnectionFault) as raised:
        has_preface(first)

    assert raised.value.foreign == foreign
