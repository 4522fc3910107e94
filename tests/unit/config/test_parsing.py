"""YAML text to nodes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.nodes import ListNode, MapNode, ScalarNode, to_plain
from bridge.config.parsing import DEPTH_MAX, TEXT_BYTES_MAX, parse
from bridge.config.position import Source
from tests.unit.config.fakes import tree


def _codes(text: str) -> list[tuple[str, int]]:
    _, problems = parse(Source("test.yaml", text))
    return [
        (problem.code, problem.position.line if problem.position else 0) for problem in problems
    ]


def test_parse_map_keeps_places_of_keys_and_values() -> None:
    """Keys and values know line, column and length, counted from 1."""
    node = tree("a:\n  port: 4317\n")
    inner = node.entries["a"].value
    assert isinstance(inner, MapNode)
    entry = inner.entries["port"]

    assert (str(entry.key), entry.key.length) == ("test.yaml:2:3", 4)
    assert (str(entry.value.position), entry.value.position.length) == ("test.yaml:2:9", 4)


def test_parse_quoted_scalar_is_text() -> None:
    """Quotes and block styles make text of digits."""
    text = "a: '1'\nb: \"true\"\nc: |\n  2\nd: !!str 3\ne: 4\n"

    assert to_plain(tree(text)) == {"a": "1", "b": "true", "c": "2\n", "d": "3", "e": 4}


def test_parse_tag_of_a_kind_that_fits_is_taken() -> None:
    """The tags of YAML's own schema agree with the value, or are reported."""

    assert to_plain(tree("a: !!float 1\nb: !!null ~\nc: !!bool true")) == {
        "a": 1.0,
        "b": None,
        "c": True,
    }
    assert _codes("a: !!int x") == [("BR-1006", 1)]


def test_parse_nothing_stands_at_its_key() -> None:
    """A key without a value points at itself, not at whatever comes next."""
    value = tree("a:\n\n\nb: 1\n").entries["a"].value

    assert value.position.line == 1


def test_parse_alias_repeats_the_anchor() -> None:
    """Aliases give the same values."""

    assert to_plain(tree("a: &x [1]\nb: *x\n")) == {"a": [1], "b": [1]}


def test_parse_scalar_alias_may_be_a_key() -> None:
    """An alias of text works as a key."""

    assert to_plain(tree("x: &k k\n*k : 1\n")) == {"x": "k", "k": 1}


def test_parse_merge_key_fills_in() -> None:
    """Explicit keys win over merged ones, earlier maps of a list over later ones."""
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 0\n"

    assert to_plain(tree(text).entries["z"].value) == {"a": 0, "b": 1, "c": 2}


def test_parse_merge_of_text_is_a_problem() -> None:
    """Only maps can be merged."""

    assert _codes("a: 1\n<<: text\n") == [("BR-1006", 2)]


def test_parse_quoted_merge_key_is_a_key() -> None:
    """In quotes it is a name like any other."""

    assert to_plain(tree('"<<": 1')) == {"<<": 1}


def test_parse_duplicate_key_is_a_problem_and_the_first_stays() -> None:
    """Reading goes on after it, so that other mistakes are found too."""
    node, problems = parse(Source("test.yaml", "a: 1\na: 2\nb: 3\nb: 4\n"))
    assert node is not None

    assert to_plain(node) == {"a": 1, "b": 3}
    assert _codes("a: 1\na: 2\nb: 3\nb: 4\n") == [("BR-1003", 2), ("BR-1003", 4)]
    assert "line 1" in problems[0].message


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: [", "BR-1002", 1),
        ("a:\n\tb: 1", "BR-1002", 2),
        ("a: b: c", "BR-1002", 1),
        ('x: 1\na: "b', "BR-1002", 2),
        ("a: 1\n---\nb: 1", "BR-1002", 2),
        ("a: \x01", "BR-1002", 1),
        ("a: *b", "BR-1004", 1),
        ("a: &b [*b]", "BR-1004", 1),
        ("? [a]\n: 1", "BR-1006", 1),
        ("a: " + "[" * 100 + "]" * 100, "BR-1005", 1),
    ],
)
def test_parse_broken_text_is_one_problem(text: str, code: str, line: int) -> None:
    """What cannot be read is said with its line."""

    assert [(code, line)] == _codes(text)


def test_parse_tab_is_named() -> None:
    """The commonest invisible mistake is called by its name."""
    _, problems = parse(Source("test.yaml", "a:\n\tb: 1"))

    assert "tabs" in problems[0].fix


def test_parse_alias_bomb_is_stopped() -> None:
    """Aliases of aliases cannot grow beyond the bound of nodes."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    assert _codes("\n".join(lines)) == [("BR-1005", 6)]


def test_parse_deep_aliases_are_stopped() -> None:
    """Depth counts through aliases too."""
    lines = ["a0: &a0 [1]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, DEPTH_MAX + 5)]

    assert _codes("\n".join(lines)) == [("BR-1005", DEPTH_MAX)]


def test_parse_large_text_is_refused() -> None:
    """Nothing is parsed beyond the bound of bytes."""

    assert _codes("#" * (TEXT_BYTES_MAX + 1)) == [("BR-1005", 1)]


def test_parse_empty_text_is_no_document() -> None:
    """An empty file is no error of YAML."""

    assert parse(Source("test.yaml", "# nothing\n")) == (None, [])


def test_parse_root_may_be_anything() -> None:
    """References and --set have lists and scalars at the root."""
    parsed, _ = parse(Source("x", "[1]"))
    scalar, _ = parse(Source("x", "5"))

    assert isinstance(parsed, ListNode)
    assert isinstance(scalar, ScalarNode)
    assert scalar.value == 5


@given(st.text(alphabet="ab: -[]{}&*!|>'\"#%@,?\n\t$0", max_size=60))
def test_parse_any_text_gives_nodes_or_problems(text: str) -> None:
    """No text raises."""
    node, problems = parse(Source("test.yaml", text))

    assert problems == [] or all(problem.is_error for problem in problems)
    if node is not None:
        to_plain(node)
