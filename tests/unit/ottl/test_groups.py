"""From texts of a group to programs, or to all that is wrong with them."""

import pytest

from bridge.core import Signal
from bridge.ottl.errors import OttlSyntaxError, OttlSyntaxErrors
from bridge.ottl.groups import check_context, compile_conditions, compile_group, infer_condition

Found = list[tuple[tuple[str | int, ...], str, int | None]]


def faults_of(texts: list[str], conditions: list[str] | None = None, context: str = "") -> Found:
    """Place, text and offset of each fault of a group for traces."""
    with pytest.raises(OttlSyntaxErrors) as caught:
        compile_group(Signal.TRACES, texts, conditions or [], context)
    return [(place, error.text, error.offset) for place, error in caught.value.faults]


def test_compile_group_infers_the_innermost_context() -> None:
    """One event path makes it the context of spans' events."""
    group = compile_group(
        Signal.TRACES, ['set(span.name, "x")'], ['spanevent.name == "y"', "span.kind == 1"]
    )

    assert group.context == "spanevent"
    assert (len(group.programs), len(group.clauses)) == (1, 2)


def test_compile_group_tells_every_fault_at_once() -> None:
    """What cannot be read, what is not known and wrong arguments, with their places."""
    texts = ["set(span.name", 'set(span.name, "x")', "sett(span.name)", "set(span.nam, 1)"]
    conditions = ["span.kind ==", "span.kind == 2", "Nope(span.kind)"]

    assert faults_of(texts, conditions) == [
        (("conditions", 0), conditions[0], 12),
        (("conditions", 2), conditions[2], 0),
        (("statements", 0), texts[0], 13),
        (("statements", 2), texts[2], 0),
        (("statements", 3), texts[3], 9),
    ]


def test_compile_group_unreadable_text_hides_what_may_follow_from_it() -> None:
    """The broken one may be what names the context, so a missing context is not told beside it."""
    assert faults_of(["set(span.name", "set(cache, {})"]) == [
        (("statements", 0), "set(span.name", 13)
    ]


def test_compile_group_wrong_context_stands_at_its_path() -> None:
    """Not at the group."""
    text = "set(datapoint.flags, 1)"

    assert faults_of(['set(span.name, "x")', text]) == [(("statements", 1), text, 4)]
    assert faults_of([], [], "log")[0][0] == ("context",)


def test_compile_group_without_a_context_is_a_fault_of_the_group() -> None:
    """If several statements could have named it; a single one is named."""
    lone = 'set(attributes["a"], 1)'

    assert faults_of([lone, 'set(name, "x")']) == [((), "", None)]
    assert faults_of([lone]) == [(("statements", 0), lone, None)]


def test_compile_group_function_that_no_context_has_is_told_of_each_statement() -> None:
    """Inference fails for the first of them; the others are told all the same."""
    texts = ["set(span.name, Nope())", "set(span.name, Nay())"]

    assert [(place, offset) for place, _, offset in faults_of(texts)] == [
        (("statements", 0), 15),
        (("statements", 1), 15),
    ]


def test_compile_conditions_tells_every_fault() -> None:
    """The text shows each with its caret."""
    with pytest.raises(OttlSyntaxErrors) as caught:
        compile_conditions("span", ["nam == 1", "name == 1", "kind == 1 and"])

    assert [place for place, _ in caught.value.faults] == [("conditions", 0), ("conditions", 2)]
    assert str(caught.value).count("^") == 2
    assert caught.value.text == "nam == 1"


def test_compile_conditions_prefixed_wants_the_context_in_paths() -> None:
    """As where the context is inferred."""
    with pytest.raises(OttlSyntaxErrors, match=r"span\.name"):
        compile_conditions("span", ['name == "x"'], prefixed=True)


def test_infer_condition_names_the_context_or_what_lacks() -> None:
    """Contexts of other signals are none."""
    assert infer_condition('resource.attributes["a"] == 1', Signal.LOGS) == "resource"
    with pytest.raises(OttlSyntaxError, match="there is no function 'Nope'"):
        infer_condition("Nope(span.name)", Signal.TRACES)
    with pytest.raises(OttlSyntaxError, match="metric is no context here"):
        infer_condition('metric.name == ""', Signal.TRACES)


def test_check_context_lists_those_of_the_signal() -> None:
    """What may be written instead."""
    assert check_context("span", Signal.TRACES)
    with pytest.raises(OttlSyntaxError, match="resource, scope, log"):
        check_context("span", Signal.LOGS)
