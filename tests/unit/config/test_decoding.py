"""Sections to models."""

from typing import Any, Literal

import pytest
from pydantic import Field, field_validator

from bridge.config.decoding import Section, decode
from bridge.config.nodes import Path
from bridge.config.problems import Problem
from bridge.config.substitution import substitute
from bridge.options import Options
from tests.unit.config.fakes import Letter, Needy, tree


class _Union(Options):
    value: int | list[int] = 0
    """Either."""


class _Loose(Options):
    any_map: dict[str, Any] | None = None
    """Free."""

    number: int = 5
    """Number."""


def _decode(
    text: str, model: Any = Letter, foreign: str = "", **environment: str
) -> tuple[Any, list[Problem]]:
    root, unresolved = substitute(tree(f"exporters: {{x/a: {text}}}"), environment)
    entry = root.entries["exporters"].value.entries["x/a"]  # type: ignore[union-attr]  # a map

    def is_foreign(path: Path, key: str) -> bool:
        return key == foreign

    value, problems = decode(
        Section(("exporters", "x/a"), entry.key, entry.value), model, is_foreign
    )
    return value, unresolved + problems


def _one(text: str, model: Any = Letter, foreign: str = "", **environment: str) -> Problem:
    value, problems = _decode(text, model, foreign, **environment)
    assert value is None
    (problem,) = problems
    return problem


def test_decode_gives_the_model() -> None:
    """Defaults and values, units included."""
    value, problems = _decode(
        "{endpoint: 'a:1', timeout: 2m, topics: [a, b], tls: {insecure: true}}"
    )

    assert problems == []
    assert (value.endpoint, value.timeout, value.topics, value.port) == (
        "a:1",
        120.0,
        ["a", "b"],
        1,
    )
    assert value.tls.insecure


def test_decode_nothing_is_all_defaults() -> None:
    """A component without options."""

    assert _decode("") == (Letter(), [])
    assert _decode("{}") == (Letter(), [])


def test_decode_null_leaves_the_default() -> None:
    """As in the Collector: scalars and lists keep their default."""
    value, problems = _decode("{endpoint: , topics: ~, port: null}")

    assert (value, problems) == (Letter(), [])


def test_decode_null_switches_a_section_on() -> None:
    """As in the Collector: an empty section has its defaults, also where it is off without."""
    value, _ = _decode("{tls: }")
    loose, _ = _decode("{any_map: , number: }", _Loose)

    assert value.tls is not None
    assert (loose.any_map, loose.number) == ({}, 5)


def test_decode_null_of_an_unknown_key_is_a_problem() -> None:
    """A misspelt key does not vanish because nothing stands behind it."""

    assert _one("{tsl: }").code == "BR-1301"


def test_decode_variable_of_digits_is_text_where_text_is_wanted() -> None:
    """Passwords are not read as numbers, booleans, lists or comments; ports are numbers."""
    value, problems = _decode(
        "{password: '${A}', endpoint: '${B}', port: '${C}', headers: {a: '${D}', b: '${E}'}}",
        A="0123",
        B="true",
        C="42",
        D="[1, 2",
        E="{a: b}",
    )

    assert problems == []
    assert value.password.get_secret_value() == "0123"
    assert (value.endpoint, value.port) == ("true", 42)
    assert value.headers["a"].get_secret_value() == "[1, 2"
    assert value.headers["b"].get_secret_value() == "{a: b}"


def test_decode_empty_variable_is_empty_text() -> None:
    """Where text is wanted; elsewhere it is nothing and leaves the default."""
    value, problems = _decode("{endpoint: '${A}', port: '${A}'}", A="")

    assert problems == []
    assert (value.endpoint, value.port) == ("", 1)


def test_decode_unresolved_reference_is_one_problem() -> None:
    """What depends on it is not reported a second time."""

    assert [problem.code for problem in _decode("{endpoint: '${A}'}", Needy)[1]] == ["BR-1101"]
    assert [problem.code for problem in _decode("{topics: ['${A}']}")[1]] == ["BR-1101"]


def test_decode_written_digits_are_no_text() -> None:
    """As in the Collector; the fix shows the quotes, except for secrets."""
    problem = _one("{endpoint: 4317}")

    assert problem.code == "BR-1302"
    assert problem.message == "exporters.x/a.endpoint must be text, not a number"
    assert problem.fix == 'put it in quotes: "4317"'
    assert "12345" not in str(_one("{password: 12345}").fix)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{port: many}", "exporters.x/a.port must be a whole number, not text"),
        ("{port: 1.5}", "exporters.x/a.port must be a whole number, not a number"),
        ("{topics: spans}", "exporters.x/a.topics must be a list of texts, not text"),
        ("{headers: [1]}", "exporters.x/a.headers must be a map of secret texts, not a list"),
        ("{tls: true}", "exporters.x/a.tls must be a section, not true or false"),
        ("{tls: {insecure: maybe}}", "exporters.x/a.tls.insecure must be true or false, not text"),
        ("{port: 0}", "exporters.x/a.port must be greater than or equal to 1"),
        ("{mode: fats}", "exporters.x/a.mode must be fast or safe"),
        ("{policies: [{name: a, rate: 2}]}", "exporters.x/a.policies[0].rate must be less than"),
    ],
)
def test_decode_wrong_value_is_said_in_words(text: str, message: str) -> None:
    """The key, what it must be, and what stands there."""
    problem = _one(text)

    assert problem.code == "BR-1302"
    assert problem.message.startswith(message)


def test_decode_choice_has_the_nearest_name() -> None:
    """Misspelt choices get the right spelling, far ones the way to find out."""

    assert _one("{mode: fats}").fix == "did you mean fast?"
    assert (
        _one("{mode: xyz}").fix == "otlp-bridge explain exporters.x.mode tells what may stand there"
    )


def test_decode_union_is_one_problem() -> None:
    """However many alternatives a value fails."""
    problem = _one("{value: x}", _Union)

    assert problem.message == (
        "exporters.x/a.value must be a whole number or list of whole numbers, not text"
    )


def test_decode_unknown_key_has_the_nearest_and_all_names() -> None:
    """What may stand there is in the message."""
    problem = _one("{endpont: 'a:1'}")

    assert (problem.code, problem.path) == ("BR-1301", "exporters.x/a.endpont")
    assert problem.fix == "did you mean endpoint?"
    assert {"endpoint", "port"} <= set(problem.allowed)
    assert problem.position is not None
    assert problem.position.column == 19


def test_decode_misplaced_key_has_its_right_place() -> None:
    """A key that stands one level off is told where it belongs."""

    assert _one("{insecure: true}").fix == (
        "insecure belongs to exporters.x/a.tls: check the indentation"
    )


def test_decode_unheard_of_key_is_to_be_removed() -> None:
    """Nothing resembles it."""

    assert _one("{zzz: 1}").fix == "remove zzz, or take one of the keys of exporters.x/a"


def test_decode_key_of_the_collector_says_so() -> None:
    """Not misspelt, but not implemented."""
    problem = _one("{middlewares: []}", foreign="middlewares")

    assert problem.code == "BR-1305"
    assert "exists in the Collector" in problem.message


def test_decode_missing_key_is_said_with_its_type() -> None:
    """At the section that lacks it."""
    problem = _one("{}", Needy)
    empty = _one("{endpoint: }", Needy)
    deep = _one("{policies: [{rate: 1}]}")

    assert (problem.code, problem.path) == ("BR-1303", "exporters.x/a.endpoint")
    assert problem.message == "exporters.x/a needs endpoint (text)"
    assert empty.message == problem.message
    assert deep.message == "exporters.x/a.policies[0] needs name (text)"


def test_decode_refusal_stands_at_the_key_it_names() -> None:
    """A check over several keys points at one of them."""
    problem = _one("{port: 1, min_size: 5, max_size: 3}")

    assert problem.code == "BR-1304"
    assert problem.message == "exporters.x/a: max_size 3 is below min_size 5"
    assert problem.position is not None
    assert problem.position.column == 41


def test_decode_refusal_of_a_value_stands_at_the_value() -> None:
    """The model's own words."""
    problem = _one("{timeout: 5}")

    assert "a duration needs a unit" in problem.message
    assert problem.position is not None
    assert problem.position.column == 28


def test_decode_scalar_in_place_of_a_section_is_a_problem() -> None:
    """Not a map of options."""

    assert _one("5").code == "BR-1202"
    assert _one("[a]").message == "exporters.x/a is a list, a map of options is expected"


def test_decode_everything_at_once() -> None:
    """All mistakes of a section in one run."""
    _, problems = _decode("{port: x, mode: y, zzz: 1, timeout: 1}")

    assert sorted(problem.code for problem in problems) == [
        "BR-1301",
        "BR-1302",
        "BR-1302",
        "BR-1304",
    ]


class _Statement(Options):
    statements: tuple[str, ...] = ()
    """Texts."""

    def model_post_init(self, _: Any) -> None:
        """Refuse as a compiler does: the line, and a caret below the place."""
        for text in self.statements:
            raise ValueError(f"line 1, column 3: no such function\n    {text}\n      ^")


def test_decode_quoted_statement_gives_the_place() -> None:
    """An error within a statement is shown at the statement's own line and column."""
    problem = _one("{statements: ['abcdef']}", _Statement)

    assert problem.position is not None
    assert problem.position.source.line(1)[problem.position.column - 1] == "c"
    assert problem.message.splitlines()[1] == "    abcdef"


def test_decode_quoted_text_without_a_caret_gives_the_line() -> None:
    """The statement itself is the place then."""

    class Plain(Options):
        statements: tuple[str, ...] = ()
        """Texts."""

        def model_post_init(self, _: Any) -> None:
            raise ValueError(f"wrong\n    {self.statements[0]}")

    problem = _one("{statements: ['abcdef']}", Plain)

    assert problem.position is not None
    assert problem.position.column == 32


class _Choices(Options):
    values: list[Literal["a", "b"]] = Field(default_factory=list)
    """Choices."""

    number: int = 0
    """A number."""


def test_decode_unresolved_choice_is_one_problem() -> None:
    """It is not also a wrong choice."""

    assert [problem.code for problem in _decode("{values: ['${A}']}", _Choices)[1]] == ["BR-1101"]


def test_decode_without_knowledge_of_the_collector() -> None:
    """Every key that the model lacks is unknown then."""
    entry = tree("a: {zzz: 1}").entries["a"]
    _, problems = decode(Section(("service", "telemetry"), entry.key, entry.value), _Choices)

    assert [problem.code for problem in problems] == ["BR-1301"]


class _Refusing(Options):
    values: list[str] = Field(default_factory=list)
    """Texts."""

    @field_validator("values")
    @classmethod
    def _never(cls, values: list[str]) -> list[str]:
        if values:
            raise ValueError("nothing is right\n\n    zz\n    other text")
        return values


def test_decode_refusal_of_a_list_stands_at_its_key() -> None:
    """Lines that quote nothing of the section give no place."""
    problem = _one("{values: [abc, 'd']}", _Refusing)

    assert problem.position is not None
    assert problem.position.column == 19


class _Recursive(Options):
    inner: "_Recursive | None" = None
    """The same again."""


def test_decode_unknown_key_of_a_recursive_model_ends() -> None:
    """The search for its right place is bounded."""

    assert _one("{zzz: 1}", _Recursive).code == "BR-1301"
