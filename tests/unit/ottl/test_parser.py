"""Text to tree, or an error with a caret."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import OttlSyntaxError, tree
from bridge.ottl.parser import (
    NESTING_MAX,
    STATEMENT_LENGTH_MAX,
    parse_condition,
    parse_statement,
)
from bridge.ottl.shapes import check_condition
from bridge.ottl.tree import children, walk


def value(text: str) -> tree.Value:
    """The tree of a value."""
    return parse_statement(f"set(x, {text})").editor.arguments[1].value


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("1", 1),
        ("017", 15),
        ("9223372036854775807", 2**63 - 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.5e3", 1500.0),
        ("0x00ff", b"\x00\xff"),
        ('"a\\n"', "a\n"),
        ("true", True),
        ("nil", None),
    ],
)
def test_literals_are_read(text: str, literal: Any) -> None:
    """A leading zero makes an octal number."""
    found = value(text)

    assert isinstance(found, tree.Literal)
    assert (type(found.value), found.value) == (type(literal), literal)


def test_operators_bind_as_in_the_collector() -> None:
    """Products before sums, and before or, comparisons before both."""
    test = parse_condition("not a == 1 or b + 2 * c > 3 and d == 4").test

    assert isinstance(test, tree.Either)
    first, second = test.parts
    assert isinstance(first, tree.Negated)
    assert isinstance(second, tree.Both)
    compared = second.parts[0]
    assert isinstance(compared, tree.Compared)
    assert compared.operator == ">"
    assert isinstance(compared.left, tree.Calculated)
    assert isinstance(compared.left.right, tree.Calculated)


def test_paths_have_segments_and_keys() -> None:
    """Of literals, paths and converters."""
    path = value('resource.attributes["a"][0][span.name].b')

    assert isinstance(path, tree.Path)
    assert [segment.name for segment in path.segments] == ["resource", "attributes", "b"]
    assert len(path.segments[1].keys) == 3
    assert str(path) == "resource.attributes[...][...][...].b"
    assert len(list(children(path))) == 3


def test_walk_meets_every_value() -> None:
    """Below calls, lists, maps, keys, groups and operators."""
    statement = parse_statement(
        'f(a["k"], [1, {"b": Fn(x, named=2)["q"]}], -(3 + c)) where not (d == 1 and e > 2)'
    )
    assert statement.where is not None
    met = [*walk(statement.editor), *walk(statement.where)]
    literals = [node.value for node in met if isinstance(node, tree.Literal)]

    assert literals == ["k", 1, 2, "q", 3, 1, 2]
    assert {type(node) for node in met} >= {
        tree.Call,
        tree.Path,
        tree.Items,
        tree.Entries,
        tree.Signed,
        tree.Group,
        tree.Calculated,
        tree.Negated,
        tree.Both,
        tree.Compared,
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("set(a, 1", 1, 9, "unexpected end, expected"),
        ("set(a, ?)", 1, 8, "unexpected '?'"),
        ("set(a,\n  1 2)", 2, 5, "unexpected '2'"),
        ("set(a, 1) if b", 1, 11, "expected"),
        ('set(a, "x\\d")', 1, 8, r"\\d"),
        ("set(a, 09)", 1, 8, "octal"),
        ("set(a, 9223372036854775808)", 1, 8, "64 bits"),
        ("set(a, 0x123)", 1, 8, "even number"),
        ("set(aB, 1)", 1, 5, "lower case"),
        ("Set(a, 1)", 1, 1, "lower-case"),
        ("set(a, upper(b))", 1, 8, "upper-case"),
        ("set(a, 1)[0]", 1, 1, "indexed"),
        ("f(x=1, 2)", 1, 8, "unnamed argument"),
        ('set(a, "x" + 1)', 1, 8, "arithmetic"),
        ("set(a, b == 1)", 1, 8, "cannot be a value"),
        ("set(a[1 + 2], 1)", 1, 7, "cannot begin with a number"),
        ("set(a, FooBar) where X", 1, 22, "comparison"),
    ],
)
def test_error_stands_at_its_place(text: str, line: int, column: int, message: str) -> None:
    """With the line and a caret below it."""
    with pytest.raises(OttlSyntaxError) as caught:
        parse_statement(text)
    error = caught.value

    assert (error.line, error.column) == (line, column), str(error)
    assert message in str(error)
    shown = str(error).splitlines()
    assert shown[-2].strip() in text
    assert shown[-1].index("^") == column + 1


@pytest.mark.parametrize("text", ["a", "1", '"x"', "a + 1", "[1]", "(b)", "not a", "a == 1 and b"])
def test_value_is_no_condition(text: str) -> None:
    """Only comparisons, bools and converters are."""
    with pytest.raises(OttlSyntaxError):
        parse_condition(text)


def test_condition_takes_bools_and_converters() -> None:
    """Also in groups."""
    for text in ("true", "(false)", "not Fn(x)", "(Fn(x) or true)"):
        check_condition(parse_condition(text))


def test_length_and_nesting_are_bounded() -> None:
    """Before anything else is looked at."""
    deep = "(" * NESTING_MAX + "a == 1" + ")" * NESTING_MAX

    assert parse_condition(deep)
    with pytest.raises(OttlSyntaxError, match=str(NESTING_MAX)):
        parse_condition(f"({deep})")
    with pytest.raises(OttlSyntaxError, match=str(STATEMENT_LENGTH_MAX)):
        parse_condition(" " * (STATEMENT_LENGTH_MAX + 1))


@given(st.text('setand or()[]{},."=<>!+-*/ abXY01\\\n', max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    """With an error inside of it, and nothing else."""
    for parse in (parse_statement, parse_condition):
        try:
            parse(text)
        except OttlSyntaxError as error:
            refused = error
            assert refused.offset is None or 0 <= refused.offset <= len(text)
