"""The escapes of a quoted string."""

import pytest

from bridge.ottl.unquote import unquote


@pytest.mark.parametrize(
    ("quoted", "text"),
    [
        ('"a"', "a"),
        ('""', ""),
        (r'"\a\b\f\n\r\t\v\\\""', '\a\b\f\n\r\t\v\\"'),
        (r'"\x41\101\u00e9\U0001f600"', "AAé\U0001f600"),
        (r'"\xff\xfe"', "\udcff\udcfe"),
        (r'"\xc3\xa9"', "é"),
        (r'"\\d+"', r"\d+"),
    ],
)
def test_unquote_reads_as_go_does(quoted: str, text: str) -> None:
    """Bytes that are no UTF-8 are kept as surrogate escapes."""
    assert unquote(quoted) == text


@pytest.mark.parametrize(
    ("quoted", "hint"),
    [
        (r'"\d"', r"write \\d"),
        ('"a\nb"', "line break"),
        (r'"\x4"', "no escape"),
        (r'"\777"', "no byte"),
        (r'"\ud800"', "no character"),
        (r'"\U00110000"', "no character"),
        ('"\\"', "no escape"),
    ],
)
def test_unquote_says_what_is_wrong(quoted: str, hint: str) -> None:
    """And what to write instead."""
    with pytest.raises(ValueError, match=hint.replace("\\", r"\\")):
        unquote(quoted)
