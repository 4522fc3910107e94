"""RE2 patterns as OTTL uses them."""

import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import Cursor, OttlError
from bridge.ottl.expressions import Expression
from bridge.ottl.regex import (
    REMEMBERED_LENGTH_MAX,
    REMEMBERED_MAX,
    Pattern,
    compile_pattern,
    expand,
    find_all,
    parse_template,
    remember,
    replace,
)

PATTERNS = ["a", "a+", "[ab]+", "a*", "^a", "b$", "", "(a)(b)?", "a|b", "aa", "^", "$", r"\b", "é"]


def go_matches(pattern: str, text: str) -> list[tuple[int, int]]:
    """The matches as Go's rule has them, one search for each place, by nobody's cleverness."""
    compiled, data, found, at, last = re2.compile(pattern.encode()), text.encode(), [], 0, -1
    while at <= len(data):
        match = compiled.search(data, at)
        if match is None:
            break
        start, end = match.span()
        inside = start < len(data) and data[start] & 0xC0 == 0x80
        if start < end or (end != last and not inside):
            found.append((start, end))
            last = end
        at = end if end > at else at + 1
    return found


@given(st.sampled_from(PATTERNS), st.text("abé", max_size=8))
def test_find_all_finds_what_go_finds(pattern: str, text: str) -> None:
    """Also at the end, where one search less is made."""
    spans = find_all(compile_pattern(pattern), text.encode())

    assert [one[0] for one in spans] == go_matches(pattern, text)


@given(st.sampled_from(["a", "a+", "[ab]+", "a|b", "(a)(b)"]), st.text("abc", max_size=8))
def test_replace_is_sub_where_nothing_is_empty(pattern: str, text: str) -> None:
    """Python's own library agrees on these."""
    compiled = compile_pattern(pattern)
    replaced = replace(compiled, parse_template("<$0>", compiled), text)

    assert (replaced if replaced is not None else text) == re.sub(pattern, r"<\g<0>>", text)
    assert (replaced is None) == (re.search(pattern, text) is None)


@pytest.mark.parametrize(
    ("template", "expanded"),
    [
        ("$1-$2", "x-y"),
        ("${1}a", "xa"),
        ("$1a", ""),
        ("${name}", "y"),
        ("$name!", "y!"),
        ("$$1", "$1"),
        ("$", "$"),
        ("$9", ""),
        ("$01", ""),
        ("é$1", "éx"),
        ("", ""),
    ],
)
def test_template_is_filled_as_go_does(template: str, expanded: str) -> None:
    """A name that the pattern lacks stands for nothing."""
    compiled = compile_pattern("(x)(?P<name>y)")
    (spans,) = find_all(compiled, b"xy")

    assert expand(parse_template(template, compiled), b"xy", spans).decode() == expanded


def test_group_that_took_no_part_is_empty() -> None:
    """Its place is nowhere."""
    compiled = compile_pattern("a(b)?")

    assert replace(compiled, parse_template("<$1>", compiled), "a") == "<>"


def test_memory_of_answers_is_bounded() -> None:
    """Long texts are not remembered, and the oldest give way."""
    matches = remember("^a")

    for number in range(REMEMBERED_MAX + 10):
        assert matches(f"a{number}")
        assert not matches(f"b{number}")
    assert matches("a" * (REMEMBERED_LENGTH_MAX + 1))


def test_pattern_that_is_none_is_refused() -> None:
    """As a literal at start, from an item when it comes."""
    for make in (compile_pattern, remember, lambda text: Pattern(Expression.constant(text))):
        with pytest.raises(ValueError, match="not valid"):
            make("(")
    dynamic = Pattern(Expression(lambda cursor: "("))
    assert dynamic.fixed is None
    for use in (dynamic.compiled, dynamic.matcher):
        with pytest.raises(OttlError, match="not valid"):
            use(Cursor())


def test_pattern_cannot_blow_up() -> None:
    """What takes other engines years is linear here; what needs too much memory is refused."""
    assert not remember("(a*)*(a*)*b$")("a" * 20_000)
    with pytest.raises(ValueError, match="not valid"):
        compile_pattern("((((a{100}){100}){100}){100})")
