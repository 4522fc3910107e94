"""From a character of a value to its place in the file."""

import pytest

from bridge.config.nodes import MapNode, ScalarNode
from bridge.config.quoting import named, position_in, quoted
from bridge.config.substitution import substitute
from tests.unit.config.fakes import tree

STYLES = {
    "plain": "a: set(x, Foo(y))",
    "single quotes": "a: 'set(x, Foo(y), \"it''s\")'",
    "double quotes": 'a: "set(x[\\"k\\"], Foo(y))"',
    "plain over two lines": "a: set(x,\n     Foo(y))",
    "folded": "a: >-\n  set(x,\n  Foo(y))\n",
    "folded with a blank line": "a: >\n\n  set(x,\n\n  Foo(y))\n",
    "literal": "a: |\n  set(x,\n      Foo(y))\n",
    "literal with an indicator": "a: |2-\n    set(x,\n  Foo(y))\n",
    "double quotes over two lines": 'a: "set(x, \\\n  Foo(y))"',
    "in a flow list": "a: [b, set(x), 'Foo(y)']",
}


def scalar(text: str, key: str = "a") -> ScalarNode:
    """The value under *key*, or the last item of a list there."""
    root, _ = substitute(tree(text), {"FOO": "set(x, Foo(y))"})
    node = root.entries[key].value
    found = getattr(node, "items", (node,))[-1]
    assert isinstance(found, ScalarNode)
    return found


@pytest.mark.parametrize("style", STYLES)
def test_position_in_every_style_is_the_character(style: str) -> None:
    """However YAML folds, quotes and escapes: the place is where the reader sees the letter."""
    node = scalar(STYLES[style])
    position = position_in(node, node.text.index("Foo"))
    line = position.source.line(position.line)

    if style == "double quotes over two lines":  # A line that is joined cannot be followed.
        assert position == node.position
    else:
        assert line[position.column - 1 :].startswith("Foo(y)")


def test_position_in_end_is_behind_the_last_character() -> None:
    """An unexpected end points there."""
    node = scalar("a: set(x")
    position = position_in(node, len(node.text))

    assert (position.line, position.column) == (1, 9)


def test_position_in_substituted_value_is_the_value() -> None:
    """The file does not show the text, so no column of it can be named."""
    node = scalar("a: ${env:FOO}")

    assert position_in(node, 7) == node.position
    assert node.position.via == "${env:FOO}"


def test_position_in_unknown_escape_is_the_value() -> None:
    """What cannot be followed is not guessed."""
    node = scalar('a: "\\x41bc Foo"')

    assert position_in(node, node.text.index("Foo")) == node.position


def test_quoted_follows_the_caret() -> None:
    """The quoted line is searched in all values."""
    node = tree("a: 1\nb: [x, 'set(it)']")
    position = quoted(node, "wrong\n  set(it)\n      ^")

    assert position is not None
    assert (position.line, position.column) == (2, 13)
    assert quoted(node, "wrong\n  something else") is None


def test_named_takes_a_key_of_the_message() -> None:
    """The first word, or a word that only a key is spelt like."""
    node = tree("max_size: 1\nonly: 2")

    assert isinstance(node, MapNode)
    found = named(node, "this is above max_size")
    assert found is not None
    assert found.line == 1
    assert named(node, "this is the only one") is None
    assert named(scalar("a: b"), "a is wrong") is None
