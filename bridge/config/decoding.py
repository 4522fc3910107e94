"""
Nodes to one validated model, and the model's complaints to problems with a place.

All errors of a section come at once. The Collector's rules for null and for text hold: nothing
after a key leaves the default, or switches a section on with its defaults; digits that came from
a variable are text where the model wants text.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from bridge.config.fields import (
    accepts_text,
    at,
    describe_type,
    element,
    field_names,
    fields,
    find_field,
    is_map,
    is_secret,
    models_in,
)
from bridge.config.nodes import Entry, ListNode, MapNode, Node, Path, ScalarNode, describe
from bridge.config.position import Position
from bridge.config.problems import Problem
from bridge.config.quoting import named, position_in, quoted
from bridge.config.substitution import UNRESOLVED
from bridge.options import Fault, OptionFaults

_TEXT_WANTED = frozenset(("string_type", "bytes_type"))
_MISTYPED = re.compile(r"_(type|parsing|from_float|pydantic_custom_error)$|^is_instance_of$")

_COUNTABLE = ("whole", "number", "list", "map", "section", "duration")
_NESTING_MAX = 6
"""Of sections that are searched for a misplaced key."""

IsForeign = Callable[[Path, str], bool]
"""Whether a key, that the model does not know, exists in the Collector."""


def _nothing_is_foreign(path: Path, key: str) -> bool:
    del path, key
    return False


@dataclass(frozen=True, slots=True)
class Section:
    """
    What is to be decoded.

    `path` leads to it from the root, for messages; `key` is where its name stands.
    """

    path: tuple[str, ...]
    key: Position
    node: Node


def decode(
    section: Section, model: Any, is_foreign: IsForeign = _nothing_is_foreign
) -> tuple[Any, list[Problem]]:
    """
    Read *section* into *model*, a pydantic model or anything else that pydantic can validate.

    Returns:
        The value, `None` if there are problems, and all that is wrong.
    """
    node = section.node
    if isinstance(node, ScalarNode) and node.value is None:
        node = MapNode({}, section.key)
    if not isinstance(node, MapNode):
        message = f"{_dotted(section.path)} is {describe(node)}, a map of options is expected"
        return None, [Problem("BR-1202", message, node.position, _dotted(section.path))]
    adapter: TypeAdapter[Any] = TypeAdapter(model)
    as_text: set[Path] = set()
    while True:  # Ends: each round puts at least one more value back to its text.
        try:
            return adapter.validate_python(_plain(node, [model], as_text, ())), []
        except ValidationError as error:
            # The context holds the component's own error, whose text is better than pydantic's.
            details = error.errors(include_url=False, include_input=False)
            wanted = set(_text_wanted(details, node)) - as_text
            if not wanted:
                translate = _Translation(section, node, model, is_foreign)
                return None, translate.all(details)
            as_text |= wanted


def _plain(node: Node, kinds: Sequence[Any], as_text: set[Path], path: Path) -> object:
    if path in as_text:
        return node.text
    if isinstance(node, ListNode):
        inner = [kind for kind in map(element, kinds) if kind is not None]
        return [
            _plain(item, inner, as_text, (*path, index)) for index, item in enumerate(node.items)
        ]
    if isinstance(node, MapNode):
        found: dict[str, object] = {}
        for key, entry in node.entries.items():
            inner = [kind for top in kinds for kind in at(top, [key])]
            value = entry.value
            if (
                isinstance(value, ScalarNode)
                and value.value is None
                and (*path, key) not in as_text
            ):
                found |= _null(key, value, inner, kinds)
            else:
                found[key] = _plain(value, inner, as_text, (*path, key))
        return found
    return node.value


def _null(
    key: str, node: ScalarNode, inner: Sequence[Any], outer: Sequence[Any]
) -> Mapping[str, object]:
    """What a key with nothing behind it means: a section with its defaults, or the default."""
    if node.position.via == UNRESOLVED:
        return {}
    if node.position.via and any(map(accepts_text, inner)):
        return {key: ""}  # A variable that is set, and empty.
    if any(models_in(kind) or is_map(kind) for kind in inner):
        return {key: {}}
    if any(find_field(model, key) for kind in outer for model in models_in(kind)):
        return {}
    return {key: None}  # A key nobody knows must not vanish, or its typo would.


def _text_wanted(details: Sequence[ErrorDetails], node: Node) -> Iterator[Path]:
    for detail in details:
        if detail["type"] in _TEXT_WANTED:
            path, found = _locate(node, detail["loc"])
            if found.position.via and found.text and not _is_text(found):
                yield path


def _is_text(node: Node) -> bool:
    return isinstance(node, ScalarNode) and isinstance(node.value, str)


def _locate(node: Node, location: Sequence[str | int]) -> tuple[Path, Node]:
    """
    The deepest node that *location* names, and its path.

    pydantic puts names of its own between the keys, such as the branch of a union; what no key
    matches is passed over.
    """
    path: Path = ()
    for step in location:
        if isinstance(node, MapNode) and isinstance(step, str) and step in node.entries:
            path, node = (*path, step), node.entries[step].value
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            path, node = (*path, step), node.items[step]
    return path, node


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


@dataclass(slots=True)
class _Translation:
    """pydantic's errors of one section, one after the other."""

    section: Section
    node: MapNode
    model: Any
    is_foreign: IsForeign

    def all(self, details: Sequence[ErrorDetails]) -> list[Problem]:
        problems: list[Problem] = []
        mistyped: set[Path] = set()
        for detail in details:
            path, found = _locate(self.node, detail["loc"])
            if detail["type"] == "extra_forbidden":
                problems.append(self._unknown_key(path))
            elif detail["type"] == "missing":
                *parents, key = detail["loc"]
                problems.extend(self._missing(*_locate(self.node, parents), str(key)))
            elif detail["type"] in ("value_error", "assertion_error"):
                problems.extend(self._refused(path, found, detail))
            elif _MISTYPED.search(detail["type"]):
                # Each branch of a union complains; the annotation names them all in one message.
                if path not in mistyped:
                    problems.extend(self._mistyped(path, found, detail))
                mistyped.add(path)
            else:
                problems.extend(self._out_of_range(path, found, detail))
        return list(dict.fromkeys(problems))

    def _name(self, path: Path) -> str:
        return _dotted((*self.section.path, *path))

    def _key(self, path: Path) -> Position:
        """Where the key that leads to *path* stands; for list items, the item itself."""
        key, node = self.section.key, self.node
        current: Node = node
        for step in path:
            if isinstance(current, MapNode):
                entry: Entry = current.entries[str(step)]
                key, current = entry.key, entry.value
            elif isinstance(current, ListNode):
                current = current.items[int(step)]
                key = current.position
        return key

    def _models(self, path: Path) -> list[type[BaseModel]]:
        return [model for kind in at(self.model, path) for model in models_in(kind)]

    def _unknown_key(self, path: Path) -> Problem:
        parent, key = path[:-1], str(path[-1])
        models = self._models(parent)
        names = list(dict.fromkeys(name for model in models for name in fields(model)))
        spellings = sorted({name for model in models for name in field_names(model)})
        where = self._name(parent)
        if self.is_foreign(parent, key):
            message = f"{key} in {where} exists in the Collector, but the bridge does not have it"
            hint = f"remove {key}: ignoring it would change what you rely on"
            return Problem("BR-1305", message, self._key(path), self._name(path), hint)
        near = difflib.get_close_matches(key, spellings, 1, cutoff=0.7)
        hint = f"did you mean {near[0]}?" if near else self._elsewhere(key, where)
        message = f"unknown key {key} in {where}"
        return Problem("BR-1301", message, self._key(path), self._name(path), hint, tuple(names))

    def _elsewhere(self, key: str, where: str) -> str:
        """The place where the key would be right, which is usually one level off."""
        for path in _paths_to(self.model, key):
            return f"{key} belongs to {self._name(path)}: check the indentation"
        return f"remove {key}, or take one of the keys of {where}"

    def _missing(self, path: Path, found: Node, key: str) -> Iterator[Problem]:
        if isinstance(found, MapNode) and key in found.entries:
            found = found.entries[key].value
        if found.position.via == UNRESOLVED:
            return  # Its own problem is reported where the reference stands.
        kinds = at(self.model, (*path, key))
        wanted = f" ({describe_type(kinds[0])})" if kinds else ""
        message = f"{self._name(path)} needs {key}{wanted}"
        hint = f"add {key}: below {self._name(path)}"
        yield Problem("BR-1303", message, self._key(path), self._name((*path, key)), hint)

    def _refused(self, path: Path, found: Node, detail: ErrorDetails) -> Iterator[Problem]:
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, OptionFaults):
            for fault in cause.faults:
                yield self._fault(path, found, fault)
            return
        message = str(cause) if cause is not None else detail["msg"]
        position = found.position if isinstance(found, ScalarNode) else self._key(path)
        if not isinstance(found, ScalarNode):
            position = quoted(found, message) or named(found, message) or position
        text = f"{self._name(path)}: {message}"
        yield Problem("BR-1304", text, position, self._name(path), self._explain(path))

    def _fault(self, path: Path, found: Node, fault: Fault) -> Problem:
        """One of several faults below *path*, at the very character if that is known."""
        below, node = _locate(found, fault.location)
        path = (*path, *below)
        position = node.position if isinstance(node, ScalarNode) else self._key(path)
        if isinstance(node, ScalarNode) and fault.offset is not None and node.text == fault.text:
            position = position_in(node, fault.offset)
        text = f"{self._name(path)}: {fault.message}"
        return Problem("BR-1304", text, position, self._name(path), self._explain(path))

    def _explain(self, path: Path) -> str:
        """How to see what may stand there; list indexes and names are left out of the key."""
        steps = [step for step in (*self.section.path, *path) if isinstance(step, str)]
        steps[1] = steps[1].partition("/")[0]
        return f"otlp-bridge explain {'.'.join(steps)} tells what may stand there"

    def _mistyped(self, path: Path, found: Node, detail: ErrorDetails) -> Iterator[Problem]:
        if found.position.via == UNRESOLVED:
            return
        kinds = at(self.model, path)
        wanted = " or ".join(dict.fromkeys(map(describe_type, kinds))) or detail["msg"]
        wanted = wanted.removeprefix("secret ")
        article = "a " if wanted.startswith(_COUNTABLE) else ""
        message = f"{self._name(path)} must be {article}{wanted}, not {describe(found)}"
        hint = self._explain(path)
        if any(map(accepts_text, kinds)) and isinstance(found, ScalarNode):
            shown = "" if any(map(is_secret, kinds)) else f': "{found.text}"'
            hint = f"put it in quotes{shown}"
        elif any(element(kind) is not None for kind in kinds) and isinstance(found, ScalarNode):
            hint = "write a list: [a, b], or one item a line with a dash"
        yield Problem("BR-1302", message, found.position, self._name(path), hint)

    def _out_of_range(self, path: Path, found: Node, detail: ErrorDetails) -> Iterator[Problem]:
        if found.position.via == UNRESOLVED:
            return
        message = detail["msg"].replace("Input should be", "must be").replace("'", "")
        hint = self._explain(path)
        if detail["type"] in ("literal_error", "enum") and _is_text(found):
            choices = re.findall(r"'([^']*)'", detail["msg"])
            near = difflib.get_close_matches(found.text, choices, 1)
            hint = f"did you mean {near[0]}?" if near else hint
        text = f"{self._name(path)} {message}"
        yield Problem("BR-1302", text, found.position, self._name(path), hint)


def _paths_to(model: Any, key: str, path: Path = (), depth: int = 0) -> Iterator[Path]:
    """Sections below *model* that have the key, nearest first within each branch."""
    if depth > _NESTING_MAX:
        return
    for current in models_in(model):
        known = fields(current)
        if path and key in known:
            yield path
        for name, field in known.items():
            yield from _paths_to(field.annotation, key, (*path, name), depth + 1)
