"""Trees to programs: what is known at start, and what is refused then."""

import pytest

from bridge.core import Signal
from bridge.ottl import Cursor, OttlError, OttlSyntaxError, expressions
from bridge.ottl.compiler import Compiler
from bridge.ottl.conditions import combine_all, combine_any, compare, invert
from bridge.ottl.contexts import CONTEXTS, OF_SIGNAL
from bridge.ottl.expressions import Expression, possible
from bridge.ottl.functions import CONDITION_FUNCTIONS, STATEMENT_FUNCTIONS
from bridge.ottl.parser import parse_condition, parse_statement
from bridge.ottl.signature import Kind, Parameter, typed
from tests.unit.ottl.running import a_span, cursor_at


def condition(text: str) -> expressions.Test:
    """A compiled condition."""
    compiler = Compiler(CONTEXTS["span"], CONDITION_FUNCTIONS)
    return compiler.condition(parse_condition(text))


def refusal(text: str, context: str = "span", *, prefixed: bool = False) -> OttlSyntaxError:
    """The error of a statement that cannot run."""
    compiler = Compiler(CONTEXTS[context], STATEMENT_FUNCTIONS, prefixed=prefixed)
    with pytest.raises(OttlSyntaxError) as caught:
        compiler.statement(parse_statement(text))
    return caught.value


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("true", True),
        ("1 == 1.0", True),
        ('"a" == 1', False),
        ("name == 1 and false", False),
        ("true or name == 1", True),
        ("not (1 > 2)", True),
        ("SPAN_KIND_SERVER == 2", True),
    ],
)
def test_constant_condition_is_known_at_start(text: str, answer: bool) -> None:
    """No item is looked at."""
    assert condition(text).constant is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('name == "GET"', True),
        ('attributes["n"] == 5', True),
        ('attributes["n"] == 5.0', True),
        ('attributes["b"] == 1', False),
        ('attributes["none"] == nil', True),
        ('attributes["none"] != 5', True),
        ('attributes["n"] != nil and attributes["n"] > 4 and kind == SPAN_KIND_SERVER', True),
        ('name == "x" or name == "y" or attributes["b"] == true', True),
        ('not IsMatch(name, "^P")', True),
        ('IsString(attributes["t"])', True),
        ('end_time - start_time == Duration("2ns")', True),
        ('attributes["l"] == ["a", 1]', True),
        ('attributes["n"] * 2 + 1 == 11', True),
    ],
)
def test_condition_answers_for_an_item(text: str, answer: bool) -> None:
    """The short ways (one attribute, a literal) and the long ones."""
    held = {"n": 5, "b": True, "t": "x", "l": ["a", 1]}
    cursor = cursor_at(
        a_span(held, name=b"GET", kind=2, start_time_unix_nano=1, end_time_unix_nano=3)
    )
    made = condition(text)

    assert made.run(cursor) is answer
    assert not answer or made.needles is None or possible(made.needles, cursor.item.raw)
    assert not answer or made.probe is None or made.probe(cursor.item.raw)


def test_needles_are_what_an_item_must_hold() -> None:
    """Alternatives of or, all of and; nothing is known of what may be missing."""
    assert condition('attributes["a"] == "x"').needles == ((b"a", b"x"),)
    assert condition('name == "n" and attributes["a"] > 1').needles == ((b"n", b"a"),)
    assert condition('name == "n" or attributes["a"] > 1').needles == ((b"n",), (b"a",))
    for text in ('attributes["a"] == nil', 'name != "x"', 'not name == "x"', "kind == 1"):
        assert condition(text).needles is None


def test_what_may_fail_hides_the_rest() -> None:
    """Its error comes first, so nothing behind it lets an item be passed over."""
    failing = 'Int(attributes["a"]) + 1 == 2'

    assert condition(f'{failing} and name == "x"').probe is None
    assert condition(f'name == "x" and {failing}').probe is not None
    assert condition('resource.attributes["a"] == 1').outer is not None


def test_converter_that_gives_no_bool_fails() -> None:
    """At start if that is known."""
    with pytest.raises(OttlError, match="must give a bool"):
        condition("Len(events)").run(cursor_at(b""))
    always = Expression(lambda cursor: True)
    assert compare("==", always, Expression.constant(True)).run(Cursor())


def test_combinations_stop_early() -> None:
    """What stands behind is not asked."""

    def fail(cursor: Cursor) -> bool:
        raise AssertionError

    yes, no, never = (
        expressions.Test(lambda cursor: True),
        expressions.Test(lambda cursor: False),
        expressions.Test(fail),
    )
    for count in (1, 2, 3):
        assert combine_any([*[no] * count, yes, never]).run(Cursor())
        assert not combine_all([*[yes] * count, no, never]).run(Cursor())
    assert combine_all([]).constant is True
    assert combine_any([]).constant is False
    assert combine_all([yes, expressions.Test.always(True)]) is yes
    assert invert(expressions.Test.always(True)).constant is False
    assert not invert(yes).run(Cursor())


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("set(nam, 1)", 4, "has no path 'nam'"),
        ("set(status.cod, 1)", 11, "'cod'"),
        ("set(name.x, 1)", 9, "no part 'x'"),
        ('set(kind["a"], 1)', 4, "cannot be indexed"),
        ("set(kind, SPAN_KIND_SERVR)", 10, "did you mean SPAN_KIND_SERVER"),
        ("sett(name, 1)", 0, "did you mean set?"),
        ("set(name)", 0, "1 given"),
        ("set(name, 1, 2, 3)", 0, "given"),
        ("set(target=name, valu=1)", 17, "has no parameter 'valu'"),
        ("set(name, 1) where Len(nam) == 1", 23, "'nam'"),
        ('set(1, "x")', 4, "must be a path"),
        ("delete_key(attributes, 1)", 23, "expected string but got int"),
        ("limit(attributes, name, [])", 18, "must be a literal int"),
        ('keep_keys(attributes, "a")', 22, "must be a list"),
        ("scale_metric(1.0)", 0, "metric context only"),
        ("set(metric.name, 1)", 4, "no path 'metric'"),
        ("set(resource.cache, 1)", 4, "span.cache"),
        ('replace_pattern(name, "a", "b", "c")', 32, "name of a converter"),
        ('set(name, {"a": Time})', 16, "enum"),
    ],
)
def test_statement_that_cannot_run_is_refused_at_its_place(
    text: str, offset: int, message: str
) -> None:
    """Paths, functions, arguments and enums."""
    error = refusal(text)

    assert message in str(error)
    assert error.offset == offset


def test_prefixed_paths_name_their_context() -> None:
    """Where the context is inferred; the message says how."""
    error = refusal('set(name, "x")', prefixed=True)

    assert "span.name" in str(error)
    assert error.offset == 4


def test_arguments_may_be_named_in_any_spelling() -> None:
    """And stand in any order."""
    compiler = Compiler(CONTEXTS["span"], STATEMENT_FUNCTIONS)
    text = 'replace_pattern(target=name, replacement="b", regexPattern="a")'
    cursor = cursor_at(a_span(name=b"aaa"))
    compiler.statement(parse_statement(text)).run(cursor)

    assert cursor.item.message.name == b"bbb"
    assert Parameter("regex_pattern", Kind.STRING).spelling == "regexpattern"
    assert str(Parameter("keys", Kind.STRING, many=True)) == "keys: [string, ...]"
    assert str(Parameter("n", Kind.INT, optional=True)) == "n: int (optional)"


def test_typed_literal_is_converted_at_start() -> None:
    """One that cannot be is refused then."""
    assert typed(Expression.constant(5), Kind.STRING_LIKE).value == "5"
    assert typed(Expression.constant("x"), Kind.VALUE).value == "x"
    with pytest.raises(OttlSyntaxError, match="expected string but got int"):
        typed(Expression.constant(5), Kind.STRING)


def test_every_context_of_a_signal_is_known() -> None:
    """From the outside in, each reaching those that enclose it."""
    for signal in Signal:
        names = OF_SIGNAL[signal]
        for index, name in enumerate(names):
            assert set(names[: index + 1]) <= {*CONTEXTS[name].names, "scope"} | set(names[:index])
            assert CONTEXTS[name].fields(name)
