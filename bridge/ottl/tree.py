"""
A statement as a tree: what was written, with places, before any meaning is attached.

`at` is everywhere the offset in the text where the piece begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: None, bool, int, float, str or bytes."""

    value: object
    at: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """An upper-case word: an enum value, or the name of a function given as an argument."""

    name: str
    at: int

    @property
    def is_enum(self) -> bool:
        """Whether the spelling is that of an enum; `SHA256` is, `ToUpperCase` is not."""
        return self.name.upper() == self.name


@dataclass(frozen=True, slots=True)
class Segment:
    """One name of a path and the keys that index it."""

    name: str
    keys: tuple["Value", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Path:
    """A dotted path such as ``span.attributes["x"][0]``."""

    segments: tuple[Segment, ...]
    at: int

    def __str__(self) -> str:
        return ".".join(segment.name + "[...]" * len(segment.keys) for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Argument:
    """A value handed to a function, by position or by name."""

    value: "Value"
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; `keys` index what a converter gives."""

    function: str
    arguments: tuple[Argument, ...]
    keys: tuple["Value", ...]
    at: int

    @property
    def is_editor(self) -> bool:
        """Whether the name is that of an editor: it begins in lower case."""
        return self.function[:1].islower()


@dataclass(frozen=True, slots=True)
class Items:
    """A list in square brackets."""

    values: tuple["Value", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Entries:
    """A map in braces. A key that is written twice has its last value."""

    values: tuple[tuple[str, "Value"], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Signed:
    """A value behind a plus or minus."""

    sign: str
    value: "Value"
    at: int


@dataclass(frozen=True, slots=True)
class Calculated:
    """Two values joined by ``+ - * /``."""

    operator: str
    left: "Value"
    right: "Value"
    at: int


@dataclass(frozen=True, slots=True)
class Group:
    """Something in parentheses."""

    inner: "Value"
    at: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Two values joined by a comparison."""

    operator: str
    left: "Value"
    right: "Value"
    at: int


@dataclass(frozen=True, slots=True)
class Negated:
    """``not`` something."""

    inner: "Value"
    at: int


@dataclass(frozen=True, slots=True)
class Both:
    """Conditions joined by ``and``."""

    parts: tuple["Value", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Either:
    """Conditions joined by ``or``."""

    parts: tuple["Value", ...]
    at: int


Value = (
    Literal
    | Symbol
    | Path
    | Call
    | Items
    | Entries
    | Signed
    | Calculated
    | Group
    | Compared
    | Negated
    | Both
    | Either
)


@dataclass(frozen=True, slots=True)
class Statement:
    """An editor call and the condition under which it runs."""

    text: str
    editor: Call
    where: Value | None


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that stands alone."""

    text: str
    test: Value


def children(node: Value) -> Iterator[Value]:
    """The values directly below *node*, keys and arguments included."""
    if isinstance(node, Path):
        for segment in node.segments:
            yield from segment.keys
    elif isinstance(node, Call):
        for argument in node.arguments:
            yield argument.value
        yield from node.keys
    elif isinstance(node, Items):
        yield from node.values
    elif isinstance(node, Entries):
        for _, value in node.values:
            yield value
    elif isinstance(node, Signed):
        yield node.value
    elif isinstance(node, Calculated | Compared):
        yield node.left
        yield node.right
    elif isinstance(node, Group | Negated):
        yield node.inner
    elif isinstance(node, Both | Either):
        yield from node.parts


def walk(node: Value) -> Iterator[Value]:
    """*node* and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)
