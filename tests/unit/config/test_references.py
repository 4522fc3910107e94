"""Templates and their references."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.references import BadReference, Reference, parse_template, render


def _value(reference: Reference) -> str:
    return f"<{reference.scheme}:{reference.name}>"


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$", "$"),
        ("a$b", "a$b"),
        ("$$", "$"),
        ("$$$$", "$$"),
        ("$${env:X}", "${env:X}"),
        ("$$${X}", "$<env:X>"),
        ("${X}", "<env:X>"),
        ("${env:X}", "<env:X>"),
        ("${env:X:-d}", "<env:X>"),
        ("${X:-d}", "<env:X>"),
        ("${file:/a/b c}", "<file:/a/b c>"),
        ("${yaml:1}", "<yaml:1>"),
        ("a${X}b${Y}c", "a<env:X>b<env:Y>c"),
    ],
)
def test_template_is_rendered(text: str, rendered: str) -> None:
    """References give way to their values, double dollars to one."""

    assert rendered == render(parse_template(text), _value)


def test_template_default_is_a_template() -> None:
    """Defaults hold references and escapes of their own."""
    (reference,) = parse_template("${env:A:-x${env:B:-y}$$z}")
    assert isinstance(reference, Reference)
    assert reference.default is not None

    assert render(reference.default, _value) == "x<env:B>$z"


def test_template_reference_knows_where_it_stands() -> None:
    """The index counts from the beginning of the whole text, also in a default."""
    _, outer = parse_template("ab${A:-${B}}")
    assert isinstance(outer, Reference)
    assert outer.default is not None
    (inner,) = outer.default
    assert isinstance(inner, Reference)

    assert (outer.start, inner.start) == (2, 7)
    assert (outer.written, inner.written) == ("${A:-${B}}", "${B}")


@pytest.mark.parametrize(
    ("text", "start", "part"),
    [
        ("ab${X", 2, "never closed"),
        ("${", 0, "never closed"),
        ("${}", 0, "no name"),
        ("${1}", 0, "no name"),
        ("${env:A-B}", 0, "no name"),
        ("${env:}", 0, "no name"),
        ("x${http://a}", 1, "scheme http"),
        ("${env:A:-${vault:x}}", 9, "scheme vault"),
        ("${file:${A}}", 0, "not supported"),
        ("${A:-" * 9 + "}" * 9, 40, "deeper"),
    ],
)
def test_template_bad_reference_is_refused(text: str, start: int, part: str) -> None:
    """What is no reference is said with its place."""
    with pytest.raises(BadReference, match=part) as caught:
        parse_template(text)

    assert ("BR-1103", start) == (caught.value.code, caught.value.start)


@given(st.text())
def test_template_of_escaped_text_is_the_text(text: str) -> None:
    """With every dollar doubled, any text comes out as it was."""

    assert text == render(parse_template(text.replace("$", "$$")), _value)
