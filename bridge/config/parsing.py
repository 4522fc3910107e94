"""
YAML text to nodes, within bounds.

It works on the parser's events rather than on a loader's objects: positions, quoting, duplicate
keys and aliases are all visible there, and nothing is built that an alias could multiply.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from bridge.config.events import yaml_events
from bridge.config.nodes import Entry, ListNode, MapNode, Node, Scalar, ScalarNode
from bridge.config.position import Position, Source
from bridge.config.problems import Problem
from bridge.config.scalars import resolve

TEXT_BYTES_MAX = 4 * 1024 * 1024
"""Of one source. The largest configurations known are below 1 MiB."""

DEPTH_MAX = 64
"""Of maps and lists in each other; the Collector's deepest option stands at about twelve."""

NODES_MAX = 200_000
"""Of one source with aliases expanded: what a chain of aliases may grow to."""

_TAGS = "tag:yaml.org,2002:"


def parse(source: Source) -> tuple[Node | None, list[Problem]]:
    """
    Read one YAML document.

    Returns:
        The root, `None` when the text holds no document or cannot be read, and what is wrong.
        Duplicate keys are reported and the first one is taken, so that reading goes on.
    """
    if len(source.text.encode("utf-8", "surrogatepass")) > TEXT_BYTES_MAX:
        start = Position(source, 1, 1)
        return None, [Problem("BR-1005", f"larger than {TEXT_BYTES_MAX} bytes", start)]
    builder = _Builder(source)
    try:
        return builder.document(), builder.problems
    except _BoundError as bound:
        return None, [*builder.problems, bound.problem]
    except MarkedYAMLError as error:
        return None, [*builder.problems, _syntax(source, error)]
    except YAMLError as error:
        # A character that YAML does not allow; the reader knows no line.
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        return None, [*builder.problems, Problem("BR-1002", text, Position(source, 1, 1))]


def _syntax(source: Source, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    if error.context_mark and "end of stream" in (error.problem or ""):
        mark = error.context_mark  # What was opened is of more use than the end of the file.
    position = (
        Position(source, 1, 1) if mark is None else Position(source, mark.line + 1, mark.column + 1)
    )
    parts = [part for part in (error.context, error.problem) if part]
    line = source.line(position.line)
    hint = ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        hint = "indent with spaces: YAML does not allow tabs there"
    elif error.problem and "mapping values are not allowed" in error.problem:
        hint = "put the value in quotes if it contains a colon followed by a space"
    return Problem("BR-1002", ", ".join(parts), position, hint=hint)


class _BoundError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Built:
    """A node with its size: what an alias to it would add."""

    node: Node
    count: int
    height: int


@dataclass(slots=True)
class _Builder:
    source: Source
    problems: list[Problem] = field(default_factory=list)
    _anchors: dict[str, _Built | None] = field(default_factory=dict)
    _count: int = 0

    def document(self) -> Node | None:
        root: Node | None = None
        events = yaml_events(self.source.text)
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    problem = "a second document begins here; only one is read"
                    raise _BoundError(Problem("BR-1002", problem, self._position(event)))
                root = self._build(next(events), events, 0).node
        return root

    def _build(self, event: Any, events: Iterator[Any], depth: int) -> _Built:
        if depth > DEPTH_MAX:
            text = f"deeper than {DEPTH_MAX} levels"
            raise _BoundError(Problem("BR-1005", text, self._position(event)))
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        self._grow(1, event)
        if event.anchor:
            # Known but unfinished: an alias inside of it would have no end.
            self._anchors[event.anchor] = None
        if isinstance(event, ScalarEvent):
            built = _Built(self._scalar(event), 1, 0)
        elif isinstance(event, SequenceStartEvent):
            built = self._list(event, events, depth)
        else:
            built = self._map(event, events, depth)
        if event.anchor:
            self._anchors[event.anchor] = built
        return built

    def _grow(self, count: int, event: Any) -> None:
        self._count += count
        if self._count > NODES_MAX:
            text = f"more than {NODES_MAX} values with aliases expanded"
            raise _BoundError(Problem("BR-1005", text, self._position(event)))

    def _alias(self, event: Any, depth: int) -> _Built:
        built = self._anchors.get(event.anchor)
        if built is None:
            known = event.anchor in self._anchors
            text = f"the alias *{event.anchor} " + (
                "stands inside its own anchor" if known else "has no anchor"
            )
            raise _BoundError(Problem("BR-1004", text, self._position(event)))
        if depth + built.height > DEPTH_MAX:
            text = f"deeper than {DEPTH_MAX} levels with aliases expanded"
            raise _BoundError(Problem("BR-1005", text, self._position(event)))
        self._grow(built.count, event)
        return built

    def _list(self, start: Any, events: Iterator[Any], depth: int) -> _Built:
        items: list[Node] = []
        count, height = 1, 0
        while not isinstance(event := next(events), SequenceEndEvent):
            built = self._build(event, events, depth + 1)
            items.append(built.node)
            count, height = count + built.count, max(height, built.height + 1)
        return _Built(ListNode(tuple(items), self._position(start)), count, height)

    def _map(self, start: MappingStartEvent, events: Iterator[Any], depth: int) -> _Built:
        entries: dict[str, Entry] = {}
        merged: list[tuple[Any, Node]] = []
        count, height = 1, 0
        while not isinstance(event := next(events), MappingEndEvent):
            key = self._key(event, events, depth)
            built = self._build(next(events), events, depth + 1)
            count, height = count + built.count, max(height, built.height + 1)
            position = self._position(event)
            if key is None:
                continue
            if isinstance(built.node, ScalarNode) and not (built.node.text or built.node.quoted):
                # Nothing stands at the next token, which is somewhere else entirely.
                built = _Built(replace(built.node, position=position), 1, 0)
            if key == "<<" and not event.style:
                merged.append((event, built.node))
            elif key in entries:
                first = entries[key].key
                text = f"the key {key} stands here twice; it is first at line {first.line}"
                self.problems.append(Problem("BR-1003", text, position))
            else:
                entries[key] = Entry(position, built.node)
        for event, node in merged:
            self._merge(entries, node, event)
        return _Built(MapNode(entries, self._position(start)), count, height)

    def _key(self, event: Any, events: Iterator[Any], depth: int) -> str | None:
        if isinstance(event, AliasEvent):
            built: _Built = self._alias(event, depth)
        else:
            built = self._build(event, events, depth + 1)
        if isinstance(built.node, ScalarNode):
            return built.node.text
        text = "a map or a list cannot be a key here"
        self.problems.append(Problem("BR-1006", text, self._position(event)))
        return None

    def _merge(self, entries: dict[str, Entry], node: Node, event: Any) -> None:
        """Fill in what ``<<`` brings; explicit keys win, then earlier maps of a list."""
        for part in node.items if isinstance(node, ListNode) else (node,):
            if not isinstance(part, MapNode):
                text = "<< takes a map, or a list of maps"
                self.problems.append(Problem("BR-1006", text, self._position(event)))
                continue
            for key, entry in part.entries.items():
                entries.setdefault(key, entry)

    def _scalar(self, event: Any) -> ScalarNode:
        position, text = self._position(event), event.value
        tag = event.tag or ""
        if event.style or tag in ("!", _TAGS + "str"):
            return ScalarNode(text, position, text, quoted=True)
        value: Scalar = resolve(text)
        if tag and not _fits(tag, value):
            problem = f"the tag {tag.replace(_TAGS, '!!')} is not supported for this value"
            self.problems.append(Problem("BR-1006", problem, position))
        if tag == _TAGS + "float" and isinstance(value, int):
            value = float(value)
        return ScalarNode(value, position, text)

    def _position(self, event: Any) -> Position:
        start, end = event.start_mark, event.end_mark
        length = end.column - start.column if end.line == start.line else 1
        return Position(self.source, start.line + 1, start.column + 1, max(1, length))


def _fits(tag: str, value: Scalar) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "bool": (bool,),
        "null": (type(None),),
    }
    return isinstance(value, kinds.get(tag.removeprefix(_TAGS), ()))
