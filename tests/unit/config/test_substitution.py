"""References in a tree."""

from pathlib import Path

import pytest

from bridge.config.nodes import ListNode, MapNode, ScalarNode, to_plain
from bridge.config.problems import Problem
from bridge.config.substitution import UNRESOLVED, substitute
from tests.unit.config.fakes import tree


def _substitute(text: str, **environment: str) -> tuple[object, list[Problem]]:
    node, problems = substitute(tree(text), environment)
    return to_plain(node), problems


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("4317", 4317),
        ("true", True),
        ("1.5", 1.5),
        ("", None),
        ("text", "text"),
        ("yes", "yes"),
        ("a #b", "a #b"),
        ('"a"', '"a"'),
        ("[a, 1]", ["a", 1]),
        ("{a: 1}", {"a": 1}),
        ("a: [", "a: ["),
        ("a: 1\na: 2", "a: 1\na: 2"),
        ("${env:OTHER}", "${env:OTHER}"),
        ("$$", "$$"),
    ],
)
def test_substitute_whole_value_is_read_as_yaml(value: str, found: object) -> None:
    """Ports stay numbers; text is not cut at a hash; nothing in a value is followed again."""

    assert ({"x": found}, []) == _substitute("x: ${env:A}", A=value)


def test_substitute_whole_value_keeps_its_text() -> None:
    """What was read as a number can still be had as text."""
    node, _ = substitute(tree("x: ${A}\ny: ${B}\nz: ${C}"), {"A": "007", "B": "[1]", "C": "{a: 1}"})
    number, sequence, mapping = (entry.value for entry in node.entries.values())
    assert isinstance(number, ScalarNode)
    assert isinstance(sequence, ListNode)
    assert isinstance(mapping, MapNode)

    assert (number.value, number.text) == (7, "007")
    assert (sequence.text, mapping.text) == ("[1]", "{a: 1}")
    assert number.position.via == "${A}"


def test_substitute_within_text_is_text() -> None:
    """A reference beside other text never changes the type."""

    assert _substitute("x: ${A}:${B}", A="0", B="1") == ({"x": "0:1"}, [])


def test_substitute_quoted_text_is_followed_too() -> None:
    """Quotes do not keep references from being followed, as in the Collector."""

    assert _substitute("x: ['${A}']\ny: $A", A="1") == ({"x": [1], "y": "$A"}, [])


def test_substitute_default_is_taken_when_unset() -> None:
    """A variable that is set and empty is set."""
    text = "x: ${env:A:-5}\ny: ${env:B:-5}\nz: ${env:A:-${env:C:-7}}"

    assert _substitute(text, B="") == ({"x": 5, "y": None, "z": 7}, [])


def test_substitute_keys_stay() -> None:
    """Only values are looked at."""

    assert _substitute("'${A}': 1", A="x") == ({"${A}": 1}, [])


def test_substitute_yaml_reference_is_its_text() -> None:
    """The Collector's third provider."""

    assert _substitute("x: ${yaml:5}") == ({"x": 5}, [])


def test_substitute_file_gives_its_text(tmp_path: Path) -> None:
    """The newline at the end of a secret's file is not part of the secret."""
    secret = tmp_path / "secret"
    secret.write_text("abc\n")

    assert _substitute(f"x: ${{file:{secret}}}\ny: Bearer ${{file:{secret}}}") == (
        {"x": "abc", "y": "Bearer abc"},
        [],
    )


def test_substitute_file_of_a_section_has_places_of_its_own(tmp_path: Path) -> None:
    """A mistake in an included section is shown in the file that it is in."""
    part = tmp_path / "part.yaml"
    part.write_text("a:\n  b: 1\n")
    node, _ = substitute(tree(f"x: ${{file:{part}}}"), {})
    section = node.entries["x"].value
    assert isinstance(section, MapNode)
    inner = section.entries["a"].value
    assert isinstance(inner, MapNode)

    assert f"{part}:2:3" == str(inner.entries["b"].key)


def test_substitute_map_of_a_variable_stands_where_it_is_named() -> None:
    """A variable has no lines to look at."""
    node, _ = substitute(tree("a: 1\nx: ${A}"), {"A": "{b: [1]}"})
    section = node.entries["x"].value
    assert isinstance(section, MapNode)

    assert str(section.entries["b"].key) == "test.yaml:2:4"


def test_substitute_undefined_variables_are_all_reported() -> None:
    """Each with its place; the value becomes nothing and is marked."""
    node, problems = substitute(tree("x: ${A}\ny: a${env:KAFKA_PASWORD}b"), {"KAFKA_PASSWORD": "p"})

    assert [
        (problem.code, problem.position.line, problem.position.column)
        for problem in problems
        if problem.position
    ] == [("BR-1101", 1, 4), ("BR-1101", 2, 5)]
    assert "KAFKA_PASSWORD" in problems[1].fix
    assert "p" not in problems[1].message.split()
    assert node.entries["x"].value.position.via == UNRESOLVED


def test_substitute_group_of_a_pattern_gets_advice() -> None:
    """A dollar in a replacement is the usual reason for such a reference."""
    _, problems = _substitute("x: 'a${1}'")

    assert "$${1}" in problems[0].fix


def test_substitute_missing_file_is_reported(tmp_path: Path) -> None:
    """With its path."""
    _, problems = _substitute(f"x: ${{file:{tmp_path}/none}}")

    assert problems[0].code == "BR-1102"
    assert f"{tmp_path}/none" in problems[0].message


def test_substitute_place_in_a_long_text_is_that_of_its_beginning() -> None:
    """A block of several lines cannot be pointed into."""
    _, problems = _substitute("x: |\n  a\n  ${A}\n")

    assert problems[0].position is not None
    assert problems[0].position.line == 1


def test_substitute_place_in_escaped_text_is_that_of_its_beginning() -> None:
    """What is written with escapes does not look like its value."""
    _, problems = _substitute('x: "a ${\\x41}"')

    assert problems[0].position is not None
    assert problems[0].position.column == 4
