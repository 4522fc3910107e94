"""Operations on texts that count bytes."""

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl.texts import glob_to_regex, substring, to_camel, to_snake, truncate


@given(st.text(max_size=12), st.integers(0, 20), st.booleans())
def test_truncate_is_short_enough_and_a_beginning(text: str, limit: int, whole: bool) -> None:
    """With whole characters it is still text, and as long as it can be."""
    data, cut = text.encode(), truncate(text, limit, whole=whole)

    if len(data) <= limit:
        assert cut is None
        return
    assert cut is not None
    kept = cut.encode("utf-8", "surrogateescape")
    assert data.startswith(kept)
    assert len(kept) <= limit < len(kept) + (4 if whole else 1)
    if whole:
        assert text.startswith(cut)


@given(st.text(max_size=8), st.integers(0, 20), st.integers(1, 20))
def test_substring_is_a_slice_of_the_bytes(text: str, start: int, length: int) -> None:
    """Or nothing if there are not as many."""
    data = text.encode()
    found = substring(text, start, length, whole=False)

    if start + length > len(data):
        assert found is None
    else:
        assert found is not None
        assert found.encode("utf-8", "surrogateescape") == data[start : start + length]
        whole = substring(text, start, length, whole=True)
        assert whole is not None
        assert whole in text


@pytest.mark.parametrize(
    ("text", "camel", "snake"),
    [
        ("", "", ""),
        ("http_server id", "HttpServerId", "http_server_id"),
        ("parseHTTP2Header", "ParseHttp2Header", "parse_http_2_header"),
        ("ABC", "Abc", "abc"),
        ("a-b.c", "ABC", "a_b_c"),
    ],
)
def test_cases_break_words_where_the_collector_does(text: str, camel: str, snake: str) -> None:
    """At blanks, dots, hyphens, and where capitals or digits begin."""
    assert (to_camel(text), to_snake(text)) == (camel, snake)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("a*c", "abbc", "abcd"),
        ("a?c", "abc", "ac"),
        ("[a-c]x", "bx", "dx"),
        ("[!a-c]x", "dx", "bx"),
        ("{get,put}*", "put it", "post"),
        ("a.c", "a.c", "abc"),
        ("\\*", "*", "a"),
        ("a,b", "a,b", "a"),
        ("{a,b", "b", "c"),
        ("*", "any\nlines", None),
        ("[^a]", "^", "b"),
    ],
)
def test_glob_matches_whole_texts(glob: str, yes: str, no: str | None) -> None:
    """By a regular expression of RE2."""
    compiled = re2.compile(glob_to_regex(glob))

    assert compiled.match(yes)
    assert no is None or not compiled.match(no)


def test_glob_with_an_open_bracket_is_refused() -> None:
    """It says which."""
    with pytest.raises(ValueError, match=r"open \["):
        glob_to_regex("a[b")
