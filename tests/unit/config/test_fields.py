"""Looking into models."""

import enum
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, BaseModel, Field, SecretStr

from bridge.config.fields import (
    accepts_text,
    at,
    describe_type,
    element,
    field_names,
    fields,
    find_field,
    is_map,
    models_in,
)
from bridge.options import Duration, Options
from tests.unit.config.fakes import Letter, Policy, Tls


class _Colour(enum.Enum):
    RED = "red"


class _Aliased(Options):
    one: int = Field(default=1, alias="uno")
    two: int = Field(default=2, validation_alias=AliasChoices("due", "zwei"))
    """Second."""


class _Strict(BaseModel):
    one: int = Field(alias="uno")


def test_fields_have_default_and_meaning() -> None:
    """Everything that `explain` tells is read from the model."""
    timeout, tls = fields(Letter)["timeout"], fields(Letter)["tls"]

    assert (timeout.default, timeout.required, timeout.is_duration) == (5.0, False, True)
    assert timeout.description.startswith("Seconds for one attempt.")
    assert (tls.default, tls.is_duration, tls.is_secret) == (None, False, False)
    assert fields(Letter)["password"].is_secret
    assert fields(Letter)["topics"].default == ["spans"]
    assert fields(Policy)["name"].required


def test_fields_are_named_as_in_yaml() -> None:
    """Aliases are what people write; the attribute's own name works too where the model says so."""

    assert list(fields(_Aliased)) == ["uno", "due"]
    assert field_names(_Aliased) == {"uno", "one", "due", "zwei", "two"}
    assert field_names(_Strict) == {"uno"}


@pytest.mark.parametrize("key", ["due", "zwei", "two"])
def test_find_field_takes_every_spelling(key: str) -> None:
    """All spellings lead to the same field."""
    field = find_field(_Aliased, key)
    assert field is not None

    assert (field.name, field.own_name, field.description) == ("due", "two", "Second.")


def test_find_field_of_unknown_key_is_none() -> None:
    """No guesses."""

    assert find_field(Letter, "tsl") is None


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "text"),
        (int, "whole number"),
        (float, "number"),
        (bool, "true or false"),
        (SecretStr, "secret text"),
        (int | None, "whole number"),
        (type(None), "nothing"),
        (Duration, "duration, such as 10s or 250ms"),
        (Duration | None, "duration, such as 10s or 250ms"),
        (Tls, "section"),
        (list[str], "list of texts"),
        (tuple[int, ...], "list of whole numbers"),
        (list[Tls], "list of sections"),
        (dict[str, int], "map of whole numbers"),
        (dict[str, Any], "map of anything"),
        (dict, "map"),
        (str | list[str], "text or list of texts"),
        (Literal["a", "b"] | Literal[""], 'one of a, b, ""'),
        (Literal["all", 1, True] | int, "whole number or one of all, 1, true"),
        (_Colour, "one of red"),
        (Annotated[int, Field(ge=1)], "whole number"),
        (_Undescribed := type("_Undescribed", (), {}), "_Undescribed"),
    ],
)
def test_describe_type_in_words(annotation: Any, words: str) -> None:
    """The words that messages and `explain` use."""

    assert describe_type(annotation) == words


def test_at_follows_sections_lists_and_maps() -> None:
    """Indexes and free keys lead into the elements."""

    assert at(Letter, ["policies", 0, "name"]) == [str]
    assert at(Letter, ["headers", "x"]) == [SecretStr]
    assert at(Letter, ["tls", "insecure"]) == [bool]
    assert at(Letter, ["port", "x"]) == []
    assert at(Letter, ["nothing"]) == []


def test_models_and_elements_are_found_in_unions() -> None:
    """Alternatives are looked through, containers are not."""

    assert models_in(Tls | None) == [Tls]
    assert models_in(list[Tls]) == []
    assert element(list[Tls] | None) is Tls
    assert element(str) is None
    assert is_map(Mapping[str, int] | None)
    assert not is_map(list[int])
    assert accepts_text(SecretStr | None)
    assert not accepts_text(Duration)


class _Named:
    """Looks like ``type Named = int | str`` of Python 3.12."""

    __value__ = int | str


def test_named_types_are_looked_through() -> None:
    """A plugin may name its types."""

    assert describe_type(_Named()) == "whole number or text"


def test_bare_containers_have_no_elements() -> None:
    """Nothing is known of what is in them."""

    assert element(list) is None
