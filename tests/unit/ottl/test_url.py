"""URLs by the rules of Go's parser."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl.errors import OttlError
from bridge.ottl.url import parse_url


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://h/p", {"url.scheme": "https", "url.domain": "h", "url.path": "/p"}),
        ("http://[::1]:80/", {"url.domain": "::1", "url.port": 80}),
        ("http://u:p%40@h", {"url.username": "u", "url.password": "p@", "url.domain": "h"}),
        ("http://h?q", {"url.query": "q", "url.path": ""}),
        ("http://h/a%20b", {"url.path": "/a b"}),
        ("mailto:a@b", {"url.scheme": "mailto", "url.domain": "", "url.path": ""}),
        ("/only/path.tar.gz", {"url.path": "/only/path.tar.gz", "url.extension": "gz"}),
        ("HTTP://H/", {"url.scheme": "http", "url.domain": "H"}),
        ("http://h/#f%20g", {"url.fragment": "f g"}),
        ("?a=1&b=2&a=3", {"query": {"a": ["1", "3"], "b": ["2"]}}),
    ],
)
def test_parse_url_gives_the_parts(text: str, parts: dict[str, Any]) -> None:
    """Escapes are undone."""
    found = parse_url(text)

    assert {key: found[key] for key in parts} == parts


@pytest.mark.parametrize(
    "text",
    [
        ":nothing",
        "http://h:port/",
        "http://[::1",
        "http://h/%zz",
        "a:b/c\x00",
        "1a:b",
        "http://h h/",
        "http://h:99999999999999999999/",
        "?a;b",
    ],
)
def test_parse_url_refuses_what_is_none(text: str) -> None:
    """Bad escapes, ports, hosts and control characters."""
    with pytest.raises(OttlError):
        parse_url(text)


@given(st.text("htp:/?#[]@!%2f&=; a\x00é", max_size=16))
def test_parse_url_of_any_text_ends(text: str) -> None:
    """With parts or an OTTL error."""
    with contextlib.suppress(OttlError):
        assert isinstance(parse_url(text), dict)
