"""Looking into config models: what keys there are, what may stand behind them, what they mean."""

import enum
import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union

from pydantic import AliasChoices, BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bridge.options import Duration

_DURATION_MARKS = tuple(typing.get_args(Duration)[1:])


@dataclass(frozen=True, slots=True)
class Field:
    """
    One key of a model: the name that YAML uses, its type, default and meaning.

    `own_name` is the attribute that holds its value.
    """

    name: str
    own_name: str
    annotation: Any
    required: bool
    default: Any
    description: str

    @property
    def is_secret(self) -> bool:
        """Whether its value must not be shown."""
        return is_secret(self.annotation)

    @property
    def is_duration(self) -> bool:
        """Whether it is seconds, written with a unit."""
        return _is_duration(self.annotation)


def fields(model: type[BaseModel]) -> dict[str, Field]:
    """The keys of *model* in the order of its definition."""
    return {
        name: Field(
            name=name,
            own_name=own_name,
            annotation=_whole(info),
            required=info.is_required(),
            default=_default(info),
            description=inspect.cleandoc(info.description or ""),
        )
        for own_name, info in model.model_fields.items()
        for name in (_yaml_name(own_name, info),)
    }


def field_names(model: type[BaseModel]) -> set[str]:
    """Every spelling of a key that *model* takes."""
    names: set[str] = set()
    for own_name, info in model.model_fields.items():
        names.add(_yaml_name(own_name, info))
        if model.model_config.get("populate_by_name"):
            names.add(own_name)
        if isinstance(info.validation_alias, AliasChoices):
            names |= {choice for choice in info.validation_alias.choices if isinstance(choice, str)}
    return names


def find_field(model: type[BaseModel], key: str) -> Field | None:
    """The field of *model* that *key* spells, in any of its spellings."""
    known = fields(model)
    if key in known:
        return known[key]
    for own_name, info in model.model_fields.items():
        aliases = info.validation_alias
        choices = aliases.choices if isinstance(aliases, AliasChoices) else []
        if key == own_name or key in choices:
            return known[_yaml_name(own_name, info)]
    return None


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a value of this type may be, without looking into lists and maps."""
    return [part for part in leaves(annotation) if _is_model(part)]


def leaves(annotation: Any) -> Iterator[Any]:
    """The alternatives of a type: unions and annotations undone; containers stay whole."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        yield from leaves(typing.get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from leaves(part)
    elif hasattr(annotation, "__value__"):  # `type X = ...` of Python 3.12.
        yield from leaves(annotation.__value__)
    else:
        yield annotation


def element(annotation: Any) -> Any:
    """The type of the items of a list or of the values of a map; `None` for anything else."""
    for part in leaves(annotation):
        origin, arguments = typing.get_origin(part), typing.get_args(part)
        if not isinstance(origin, type) or not arguments:
            continue
        if issubclass(origin, Mapping):
            return arguments[1]
        if issubclass(origin, Sequence | set | frozenset):
            return arguments[0]
    return None


def at(annotation: Any, path: Sequence[str | int]) -> list[Any]:
    """
    The types that may stand at *path* below a value of *annotation*.

    Returns:
        Empty when nothing can stand there. Indexes and keys of maps are followed into elements.
    """
    found = [annotation]
    for step in path:
        deeper: list[Any] = []
        for current in found:
            for model in models_in(current):
                field = find_field(model, str(step)) if isinstance(step, str) else None
                if field:
                    deeper.append(field.annotation)
            inner = element(current)
            if inner is not None:
                deeper.append(inner)
        found = deeper
    return found


def is_secret(annotation: Any) -> bool:
    """Whether values of this type must not be shown."""
    return any(part in (SecretStr, SecretBytes) for part in leaves(annotation))


def accepts_text(annotation: Any) -> bool:
    """Whether plain text is one of the values that the type is made for."""
    return any(part in (str, SecretStr) for part in leaves(annotation))


def is_map(annotation: Any) -> bool:
    """Whether a map with keys of the user's choice is one of the values."""
    for part in leaves(annotation):
        kind = typing.get_origin(part) or part
        if isinstance(kind, type) and issubclass(kind, Mapping):
            return True
    return False


def describe_type(annotation: Any) -> str:
    """The type in the words of a message or of `explain`."""
    if _is_duration(annotation):
        return "duration, such as 10s or 250ms"
    parts = list(leaves(annotation))
    choices = [value for part in parts for value in _choices(part)]
    words = list(dict.fromkeys(_word(part) for part in parts if not _choices(part)))
    if choices:
        words.append("one of " + ", ".join(dict.fromkeys(choices)))
    return " or ".join(word for word in words if word) or "nothing"


def _word(part: Any) -> str:
    if part is type(None):
        return ""
    if _is_model(part):
        return "section"
    inner = element(part)
    if inner is not None:
        return f"{'map' if is_map(part) else 'list'} of {_plural(inner)}"
    return _WORDS.get(part, getattr(part, "__name__", "value"))


def _choices(part: Any) -> list[str]:
    """The values of a literal or an enumeration, as they are written; empty for other types."""
    if typing.get_origin(part) is Literal:
        return [_literal(value) for value in typing.get_args(part)]
    if isinstance(part, type) and issubclass(part, enum.Enum):
        return [_literal(member.value) for member in part]
    return []


def _plural(annotation: Any) -> str:
    word = describe_type(annotation)
    return {
        "text": "texts",
        "section": "sections",
        "whole number": "whole numbers",
        "number": "numbers",
        "secret text": "secret texts",
    }.get(word, word)


_WORDS: Mapping[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    SecretStr: "secret text",
    dict: "map",
    list: "list",
    tuple: "list",
    Any: "anything",
}


def _literal(value: object) -> str:
    return '""' if value == "" else str(value).lower() if isinstance(value, bool) else str(value)


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _is_duration(annotation: Any) -> bool:
    if typing.get_origin(annotation) is Annotated:
        kind, *marks = typing.get_args(annotation)
        return any(mark in _DURATION_MARKS for mark in marks) or _is_duration(kind)
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return any(_is_duration(part) for part in typing.get_args(annotation))
    return False


def _yaml_name(own_name: str, info: FieldInfo) -> str:
    alias = info.validation_alias or info.alias
    if isinstance(alias, str):
        return alias
    if isinstance(alias, AliasChoices) and alias.choices and isinstance(alias.choices[0], str):
        return alias.choices[0]
    return own_name


def _whole(info: FieldInfo) -> Any:
    """The annotation with the marks that pydantic keeps apart from it."""
    if any(mark in _DURATION_MARKS for mark in info.metadata):
        return Annotated[(info.annotation, *info.metadata)]
    return info.annotation


def _default(info: FieldInfo) -> Any:
    value = info.get_default(call_default_factory=True, validated_data={})
    return None if value is PydanticUndefined else value
