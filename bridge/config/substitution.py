"""References in a tree, replaced by what they name."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bridge.config.nodes import Entry, ListNode, MapNode, Node, ScalarNode
from bridge.config.parsing import parse
from bridge.config.position import Position, Source
from bridge.config.problems import Problem
from bridge.config.references import BadReference, Reference, parse_template, render
from bridge.config.sources import Unreadable, read_text

UNRESOLVED = "?"
"""`Position.via` of a null that stands for a reference which could not be followed."""


def substitute(node: MapNode, environment: Mapping[str, str]) -> tuple[MapNode, list[Problem]]:
    """
    Follow the references in all values of *node*; keys stay as they are.

    A value that is nothing but one reference takes the type that its text has in YAML, so ports
    stay numbers; within other text a reference is text. What cannot be followed is reported and
    becomes null, so that everything else is still checked.
    """
    run = _Substitution(environment)
    result = run.map(node)
    return result, run.problems


@dataclass(slots=True)
class _Substitution:
    environment: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)

    def map(self, node: MapNode) -> MapNode:
        entries = {
            key: Entry(entry.key, self.node(entry.value)) for key, entry in node.entries.items()
        }
        return MapNode(entries, node.position, node.text)

    def node(self, node: Node) -> Node:
        if isinstance(node, MapNode):
            return self.map(node)
        if isinstance(node, ListNode):
            return ListNode(tuple(map(self.node, node.items)), node.position, node.text)
        if isinstance(node.value, str) and "$" in node.value:
            return self._scalar(node, node.value)
        return node

    def _scalar(self, node: ScalarNode, text: str) -> Node:
        try:
            template = parse_template(text)
            first = template[0] if len(template) == 1 else ""
            if isinstance(first, Reference):
                via = replace(node.position, via=first.written)
                return _typed(first, self._resolve(first), via)
            value = render(template, self._resolve)
            written = [part.written for part in template if isinstance(part, Reference)]
            via = replace(node.position, via=", ".join(written))
            return ScalarNode(value, via, value, quoted=True)
        except BadReference as error:
            position = _within(node, error.start)
            self.problems.append(Problem(error.code, str(error), position, hint=error.hint))
            return ScalarNode(None, replace(position, via=UNRESOLVED))

    def _resolve(self, reference: Reference) -> str:
        if reference.scheme == "yaml":
            return reference.name
        if reference.scheme == "file":
            try:
                # Secrets in files usually end with a newline that is not part of them.
                return read_text(reference.name).removesuffix("\n").removesuffix("\r")
            except Unreadable as error:
                message = f"{reference.written}: {error}"
                raise BadReference("BR-1102", message, reference.start, error.hint) from error
        value = self.environment.get(reference.name)
        if value is not None:
            return value
        if reference.default is not None:
            return render(reference.default, self._resolve)
        raise self._undefined(reference)

    def _undefined(self, reference: Reference) -> BadReference:
        name = reference.name
        near = difflib.get_close_matches(name, self.environment, 1, cutoff=0.8)
        hint = f"set {name}, or give a default: ${{env:{name}:-...}}"
        if near:
            hint = f"did you mean {near[0]}, which is set? Otherwise {hint}"
        message = f"the environment variable {name} is not set"
        return BadReference("BR-1101", message, reference.start, hint)


def _typed(reference: Reference, text: str, position: Position) -> Node:
    """What *text* is when read as YAML; text that is no YAML is just text."""
    name = reference.name if reference.scheme == "file" else reference.written
    parsed, problems = parse(Source(name, text))
    if parsed is None:
        return ScalarNode(text if problems else None, position, text)
    if problems:
        return ScalarNode(text, position, text)
    if isinstance(parsed, ScalarNode):
        # YAML would cut a comment off and take quotes away: text is taken as it came.
        value = text if isinstance(parsed.value, str) else parsed.value
        return ScalarNode(value, position, text)
    if reference.scheme != "file":
        parsed = _moved(parsed, position)
    return replace(parsed, text=text)


def _moved(node: Node, position: Position) -> Node:
    """The same values, all at *position*: a variable has no lines that a reader could look at."""
    if isinstance(node, MapNode):
        entries = {
            key: Entry(position, _moved(entry.value, position))
            for key, entry in node.entries.items()
        }
        return MapNode(entries, position)
    if isinstance(node, ListNode):
        return ListNode(tuple(_moved(item, position) for item in node.items), position)
    return replace(node, position=position)


def _within(node: ScalarNode, start: int) -> Position:
    """The place of index *start* of a value, exact where the value stands on one line."""
    position = node.position
    line = position.source.line(position.line)[position.column - 1 :]
    offset = line.find(node.text[start : start + 12].split("\n")[0])
    if offset < 0 or position.length <= 1:
        return position
    length = max(1, position.length - offset)
    return replace(position, column=position.column + offset, length=length)
