"""What a key means, from the models themselves."""

import difflib
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from bridge.config.factories import load_factory
from bridge.config.fields import Field, at, describe_type, element, fields, find_field, models_in
from bridge.config.loaded import KINDS, FactorySource
from bridge.config.telemetry import TelemetrySection
from bridge.core import BridgeError
from bridge.options import format_duration


class UnknownKeyError(BridgeError):
    """A key that does not exist; the text names the nearest ones."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    One key, or one section with its keys.

    `default` is written as in YAML, empty for sections; `keys` are the keys of a section.
    """

    path: str
    type: str
    default: str
    required: bool
    meaning: str
    keys: tuple["Explanation", ...] = ()


def explain(key: str, factories: FactorySource) -> Explanation:
    """
    Explain a dotted key such as ``exporters.kafka.producer.linger``.

    A component may be named with its own name (``exporters.otlp/backend.tls``), and the section
    may be left out where the type exists in one section only. Indexes of lists are left out.

    Raises:
        UnknownKeyError: If there is no such key.
        BrokenComponentError: If the component that it belongs to cannot be loaded.
    """
    steps = [step for step in key.strip().strip(".").split(".") if step]
    if not steps:
        raise UnknownKeyError("name a key, such as exporters.kafka.producer.linger")
    path, model, rest = _root(steps, factories)
    if not rest:
        return _section(".".join(path), model)
    *parents, last = rest
    kinds = _at(model, parents, path)
    for section in (found for kind in kinds for found in _sections(kind)):
        field = find_field(section, last)
        if field:
            return _field(".".join((*path, *parents, field.name)), field)
    names = sorted({name for kind in kinds for part in _sections(kind) for name in fields(part)})
    raise _unknown(".".join((*path, *rest)), last, names)


def _root(steps: Sequence[str], factories: FactorySource) -> tuple[list[str], Any, Sequence[str]]:
    """The component that *steps* begin with: its path, its model and the steps below it."""
    first, *rest = steps
    if first == "service":
        if not rest or rest[0] != "telemetry":
            raise _unknown("service", ".".join(rest), ["telemetry"])
        return ["service", "telemetry"], TelemetrySection, rest[1:]
    if first not in KINDS:
        homes = [kind for kind in KINDS if _type(first) in factories.types(kind)]
        if len(homes) == 1:
            return [homes[0], first], load_factory(factories, homes[0], _type(first)).config, rest
        if homes:
            choice = " or ".join(f"{kind}.{first}" for kind in homes)
            raise UnknownKeyError(f"{first} exists in several sections: write {choice}")
        every = sorted({name for kind in KINDS for name in factories.types(kind)})
        raise _unknown(first, first, [*KINDS, "service", *every])
    known = factories.types(first)
    if not rest:
        raise UnknownKeyError(f"{first} holds components: {', '.join(known)}; name one")
    if _type(rest[0]) not in known:
        raise _unknown(f"{first}.{rest[0]}", rest[0], known)
    return [first, rest[0]], load_factory(factories, first, _type(rest[0])).config, rest[1:]


def _type(component: str) -> str:
    return component.partition("/")[0]


def _at(model: Any, parents: Sequence[str], path: Sequence[str]) -> list[Any]:
    found = [model]
    for index, step in enumerate(parents):
        deeper = [kind for top in found for part in _sections(top) for kind in at(part, [step])]
        if not deeper:
            names = sorted(
                {name for top in found for part in _sections(top) for name in fields(part)}
            )
            raise _unknown(".".join((*path, *parents[: index + 1])), step, names)
        found = deeper
    return found


def _sections(kind: Any) -> Iterator[type[BaseModel]]:
    """The models of a value, of a list's items or of a map's values."""
    yield from models_in(kind)
    inner = element(kind)
    if inner is not None:
        yield from _sections(inner)


def _section(path: str, model: Any) -> Explanation:
    meaning = inspect.cleandoc(getattr(model, "__doc__", None) or "")
    return Explanation(path, "section", "", False, meaning, _keys(path, [model]))


def _keys(path: str, kinds: Sequence[Any]) -> tuple[Explanation, ...]:
    found: dict[str, Explanation] = {}
    for kind in kinds:
        for section in _sections(kind):
            for name, field in fields(section).items():
                found.setdefault(name, _field(f"{path}.{name}", field, deep=False))
    return tuple(found.values())


def _field(path: str, field: Field, *, deep: bool = True) -> Explanation:
    return Explanation(
        path=path,
        type=describe_type(field.annotation),
        default=show_default(field),
        required=field.required,
        meaning=field.description,
        keys=_keys(path, [field.annotation]) if deep else (),
    )


def show_default(field: Field) -> str:
    """The default as one would write it; empty for sections, and for keys that must be given."""
    value = field.default
    if field.required or isinstance(value, BaseModel):
        return ""
    if value is None:
        return "unset"
    if field.is_duration and isinstance(value, int | float):
        return format_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    if field.is_secret or value == "":
        return '""'
    if isinstance(value, tuple | list | set | frozenset):
        parts = [str(part) or '""' for part in value]
        return f"[{', '.join(parts)}]"
    return str(value)


def _unknown(path: str, step: str, names: Sequence[str]) -> UnknownKeyError:
    near = difflib.get_close_matches(step, names, 3, cutoff=0.6)
    if near:
        advice = f"did you mean {', '.join(near)}?"
    else:
        advice = f"there is {', '.join(names)}" if names else "it has no keys below it"
    return UnknownKeyError(f"there is no key {path}: {advice}")
