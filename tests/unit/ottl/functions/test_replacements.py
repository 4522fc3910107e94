"""Editors that replace inside texts."""

from typing import Any

import pytest

from bridge.ottl import OttlError, OttlSyntaxError
from bridge.ottl.expressions import Expression
from bridge.ottl.functions.replacements import apply_format, through
from tests.unit.ottl.running import attributes_after, cursor_at

HELD = {"t": "/api/7/items/42", "n": 7, "u": "x"}


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ('replace_pattern(attributes["t"], "/[0-9]+", "/{id}")', "/api/{id}/items/{id}"),
        ('replace_pattern(attributes["t"], "/([a-z]+)/", "<$1>")', "<api>7<items>42"),
        ('replace_pattern(attributes["t"], "(?P<n>[0-9]+)$", "[${n}]")', "/api/7/items/[42]"),
        ('replace_pattern(attributes["t"], "[0-9]+", "$$")', "/api/$/items/$"),
        ('replace_pattern(attributes["t"], "[0-9]+", "$9")', "/api//items/"),
        ('replace_pattern(attributes["t"], "nowhere", "x")', "/api/7/items/42"),
        ('replace_pattern(attributes["t"], "$", "!")', "/api/7/items/42!"),
        ('replace_pattern(attributes["t"], "[0-9]*", "-")', "-/-a-p-i-/-/-i-t-e-m-s-/-"),
        ('replace_pattern(attributes["t"], "42", attributes["u"])', "/api/7/items/x"),
        ('replace_pattern(attributes["t"], attributes["u"], "-")', "/api/7/items/42"),
        (
            'replace_pattern(attributes["t"], "api", "$0", ToUpperCase, "<%s>")',
            "/<API>/7/items/42",
        ),
        ('replace_match(attributes["t"], "/api/*", "all")', "all"),
        ('replace_match(attributes["t"], "api", "all")', "/api/7/items/42"),
        ('replace_match(attributes["t"], "/api/*", attributes["u"])', "x"),
    ],
)
def test_editor_changes_the_text(statement: str, left: str) -> None:
    """By RE2 with Go's templates, or by a glob for the whole."""
    assert attributes_after(HELD, statement) == {**HELD, "t": left}


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        (
            'replace_all_patterns(attributes, "value", "[0-9]+", "#")',
            {"t": "/api/#/items/#", "n": 7, "u": "x"},
        ),
        (
            'replace_all_patterns(attributes, "key", "^(.)$", "k.$1")',
            {"k.t": HELD["t"], "k.n": 7, "k.u": "x"},
        ),
        ('replace_all_matches(attributes, "?", "one")', {"t": HELD["t"], "n": 7, "u": "one"}),
        (
            'replace_all_matches(attributes, "?", "one", ToUpperCase, "<%s>")',
            {"t": HELD["t"], "n": 7, "u": "<ONE>"},
        ),
    ],
)
def test_editor_changes_all_texts_of_a_map(statement: str, left: dict[str, Any]) -> None:
    """Numbers are no text. Other maps go the same way as attributes."""
    assert attributes_after(HELD, statement) == left
    moved = statement.replace("attributes", "cache")
    assert attributes_after(HELD, "set(cache, attributes)", moved, "set(attributes, cache)") == left


def test_number_is_left_alone() -> None:
    """No error: the Collector passes over it too."""
    for name in ("replace_pattern", "replace_match"):
        assert attributes_after(HELD, f'{name}(attributes["n"], "7", "8")') == HELD


@pytest.mark.parametrize(
    "statement",
    [
        'replace_pattern(attributes["t"], attributes["bad"], "x")',
        'replace_match(attributes["t"], attributes["open"], "x")',
        'replace_pattern(attributes["t"], "a", "x", ParseJSON)',
        'replace_pattern(attributes["t"], "a", "x", ToUpperCase, attributes["t"])',
    ],
)
def test_argument_of_the_item_that_cannot_work_fails(statement: str) -> None:
    """A pattern, a function or a format."""
    with pytest.raises(OttlError):
        attributes_after({**HELD, "bad": "(", "open": "[a"}, statement)


@pytest.mark.parametrize(
    "statement",
    [
        'replace_pattern(attributes["t"], "(", "x")',
        'replace_match(attributes["t"], "[a", "x")',
        'replace_all_patterns(attributes, "both", "a", "b")',
        'replace_pattern(attributes["t"], "a", "x", Nope)',
    ],
)
def test_senseless_argument_is_refused_at_start(statement: str) -> None:
    """It can never work."""
    with pytest.raises(OttlSyntaxError):
        attributes_after({}, statement)


def test_format_takes_exactly_texts() -> None:
    """Every %s but the first is missing its value, as in Go; other verbs are refused."""
    cursor = cursor_at(b"")

    assert apply_format(None, "a", cursor) == "a"
    assert apply_format(Expression.constant("<%s>"), "a", cursor) == "<a>"
    assert apply_format(Expression.constant("%s-%s!"), "a", cursor) == "a-%!s(MISSING)!"
    for layout in ("none", "%d %s", "%s\n"):
        with pytest.raises(OttlError, match="%s"):
            apply_format(Expression.constant(layout), "a", cursor)
    assert through(None, "a", cursor) == "a"
