"""
What a compiled program is made of: functions of a `Cursor`, with what is known of them beforehand.

`Expression` reads, `Place` reads and writes, `Test` decides. They are built once at start; running
them allocates nothing but the values.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from bridge.ottl.attributes import Attributes, Key
from bridge.ottl.glance import Glance, Probe
from bridge.ottl.nodes import Payload

Needles = tuple[tuple[bytes, ...], ...]
"""
Alternatives of byte strings: unless all of one alternative occur in an item's bytes, a test is
false and does not fail either. It lets a filter pass over items without decoding them.
"""


class Cursor:
    """
    Where a program stands: the item at hand and what encloses it.

    `item` is the span, log record or metric; `part` the event or data point. Their messages are
    parsed before a program runs. `metadata` is what came with the request.
    """

    __slots__ = ("cache", "item", "metadata", "part", "payload", "resource", "scope")

    def __init__(self, payload: Payload | None = None) -> None:
        self.payload = payload
        self.resource: Any = None
        self.scope: Any = None
        self.item: Any = None
        self.part: Any = None
        self.cache: dict[str, Any] = {}
        self.metadata: Mapping[str, tuple[str, ...]] = {}


Get = Callable[[Cursor], Any]
Set = Callable[[Cursor, Any], None]
Run = Callable[[Cursor], None]


class Expression:
    """
    A value that can be read. `literal` says that it is `value`, whatever the item.

    `moment_ns` and `duration_ns` read what is always a time or a duration as nanoseconds, which
    cannot fail and makes no object.
    """

    __slots__ = ("duration_ns", "get", "literal", "moment_ns", "value")

    def __init__(self, get: Get, *, literal: bool = False, value: Any = None) -> None:
        self.get = get
        self.literal = literal
        self.value = value
        self.moment_ns: Get | None = None
        self.duration_ns: Get | None = None

    @classmethod
    def constant(cls, value: Any) -> "Expression":
        """The literal *value*."""
        return cls(lambda cursor: value, literal=True, value=value)


class Holder:
    """
    How a program comes to the attributes of a slot of the cursor.

    `find` gives them; `ready` does if somebody asked for them before, else `None`, and costs less:
    ``ready(cursor) or find(cursor)``.
    """

    __slots__ = ("find", "ready")

    def __init__(self, slot: str) -> None:
        self.find: Callable[[Cursor], Attributes] = attrgetter(f"{slot}.attributes")
        self.ready: Callable[[Cursor], Attributes | None] = attrgetter(f"{slot}.held")


class Place(Expression):
    """
    A path: a value that can be read and written.

    Args:
        attributes:
            For a whole map of attributes: how to find it, so that editors need not decode it.
        holder, key:
            For one key of such a map: the map and the key.
        needle:
            Bytes without which the value of an item is nil.
        text_field:
            Whether it is a plain text field of the item's own bytes.
        glance:
            Reads the value from the item's bytes, where that is possible.
        outer:
            Whether it belongs to the resource or scope: all items of a scope share it.
        safe:
            Whether reading can never fail.

    `steps` is the way to it: the context, the names and the literal keys.
    """

    __slots__ = (
        "attributes",
        "glance",
        "holder",
        "key",
        "needle",
        "outer",
        "safe",
        "set",
        "steps",
        "text_field",
    )

    def __init__(
        self,
        get: Get,
        put: Set,
        *,
        attributes: Holder | None = None,
        holder: Holder | None = None,
        key: Key | None = None,
        needle: bytes | None = None,
        text_field: bool = False,
        glance: Glance | None = None,
        outer: bool = False,
        safe: bool = False,
    ) -> None:
        super().__init__(get)
        self.set = put
        self.attributes = attributes
        self.holder = holder
        self.key = key
        self.needle = needle
        self.text_field = text_field
        self.glance = glance
        self.outer = outer
        self.safe = safe or text_field or key is not None
        self.steps: tuple[object, ...] = ()

    def encloses(self, other: "Place") -> bool:
        """Whether *other* is a part of this place."""
        return len(self.steps) < len(other.steps) and other.steps[: len(self.steps)] == self.steps


class Test:
    """
    A condition.

    Args:
        run:
            Decides for the item at hand.
        constant:
            Its answer, if that is known beforehand.
        needles:
            See `Needles`; `None` if nothing is known.
        safe:
            Whether it can never fail.
        probe:
            Decides from an item's bytes whether the test is worth running.
        outer:
            What must hold for the scope at hand for the test to hold for any of its items.
    """

    __slots__ = ("constant", "needles", "outer", "probe", "run", "safe")

    def __init__(
        self,
        run: Callable[[Cursor], bool],
        *,
        constant: bool | None = None,
        needles: Needles | None = None,
        safe: bool = False,
        probe: Probe | None = None,
        outer: Callable[[Cursor], bool] | None = None,
    ) -> None:
        self.run = run
        self.probe = probe
        self.outer = outer
        self.constant = constant
        self.needles = needles
        self.safe = safe

    @classmethod
    def always(cls, answer: bool) -> "Test":
        """A test that knows its answer."""
        return cls(lambda cursor: answer, constant=answer, safe=True)


NEEDLES_MAX = 16
"""Alternatives worth looking for: each costs a pass over the bytes."""


def possible(needles: Needles, data: bytes) -> bool:
    """Whether *data* holds all bytes of one alternative."""
    for alternative in needles:
        for needle in alternative:
            if needle not in data:
                break
        else:
            return True
    return False
