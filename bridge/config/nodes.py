"""YAML as a tree that remembers where everything stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.config.position import Position

Scalar = str | int | float | bool | None
Path = tuple[str | int, ...]
"""Keys and list indexes from the root."""


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """
    One value.

    `text` is what was written, or what a reference gave, before it was read as a number, a
    boolean or null: a password of digits is still text where text is wanted. `quoted` tells that
    the author asked for text.
    """

    value: Scalar
    position: Position
    text: str = ""
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a map, and where its key stands."""

    key: Position
    value: "Node"


@dataclass(frozen=True, slots=True)
class MapNode:
    """A map. `text` is set when a reference gave it: then it may also be meant as text."""

    entries: Mapping[str, Entry]
    position: Position
    text: str = ""


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list. `text` as in `MapNode`."""

    items: tuple["Node", ...]
    position: Position
    text: str = ""


Node = ScalarNode | MapNode | ListNode


def to_plain(node: Node) -> object:
    """The values without their positions: dictionaries, lists and scalars, new each time."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, ListNode):
        return [to_plain(item) for item in node.items]
    return {key: to_plain(entry.value) for key, entry in node.entries.items()}


def describe(node: Node) -> str:
    """What kind of value this is, in the words of a message."""
    if isinstance(node, MapNode):
        return "a map"
    if isinstance(node, ListNode):
        return "a list"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return "true or false"
    return "a number" if isinstance(node.value, int | float) else "text"


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node with its path, parents first."""
    yield path, node
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            yield from walk(entry.value, (*path, key))
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from walk(item, (*path, index))
