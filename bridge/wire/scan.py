"""
Looking through a request without building objects: the same as the compiled form, in Python.

It exists so that an installation without a compiler has the same limits, and so that the compiled
form has something to be held against. It costs some hundred times as much, so requests that are too
small to exceed a limit are not walked.
"""

from collections.abc import Iterator
from typing import Final

from bridge.core import Malformed, Signal, TooLarge
from bridge.wire.limits import RequestLimits
from bridge.wire.shallow import parse

_LENGTH: Final = 2
_FIXED_BYTES: Final = {1: 8, 5: 4}
_START_GROUP, _END_GROUP = 3, 4
_GROUPS_MAX: Final = 32
_CONTAINERS: Final = ("list", "map")
_LEVEL_BYTES: Final = 4
_CONTAINER_TAGS: Final = b"\x2a\x32\xaa\xb2"
"""How the tag of a list or map in a value may begin."""

_CHILDREN: Final[dict[str, dict[int, str]]] = {
    "resource": {1: "pair"},
    "scope": {3: "pair"},
    "traces": {9: "pair", 11: "event", 13: "link"},
    "event": {3: "pair"},
    "link": {4: "pair"},
    "logs": {5: "value", 6: "pair"},
    "metrics": {
        5: "numbers",
        7: "numbers",
        9: "histograms",
        10: "exponentials",
        11: "summaries",
        12: "pair",
    },
    "numbers": {1: "number"},
    "histograms": {1: "histogram"},
    "exponentials": {1: "exponential"},
    "summaries": {1: "summary"},
    "number": {5: "exemplar", 7: "pair"},
    "histogram": {8: "exemplar", 9: "pair"},
    "exponential": {1: "pair", 11: "exemplar"},
    "summary": {7: "pair"},
    "exemplar": {7: "pair"},
    "pair": {2: "value"},
    "value": {5: "list", 6: "map"},
    "list": {1: "value"},
    "map": {1: "pair"},
}
_DATA: Final = frozenset({"numbers", "histograms", "exponentials", "summaries"})

_Field = tuple[int, int, int, int]
"""Number, wire type, start and stop of the content."""


def check(signal: Signal, body: bytes, limits: RequestLimits) -> None:
    """
    Refuse *body* if it exceeds *limits*. How many items it holds is not looked at.

    Raises:
        Malformed: If its values are nested too deep, or its framing is broken.
        TooLarge: If it holds too many envelopes or fields.
    """
    if len(body) > 2 * min(limits.envelopes_max, limits.fields_max):
        _Walk(signal, limits).envelope(body)
        return
    for _, resource, scopes in parse(body):
        if _may_be_deep(resource, limits):
            _Walk(None, limits).look_into("resource", resource, (0, len(resource)))
        for head, items in scopes:
            for number, wire_type, start, stop in _fields(head, 0, len(head)):
                if (number, wire_type) == (1, _LENGTH) and _may_be_deep(head[start:stop], limits):
                    _Walk(None, limits).look_into("scope", head, (start, stop))
            for item in items:
                if _may_be_deep(item, limits):
                    _Walk(None, limits).item(signal.value, item, 0, len(item))


def _may_be_deep(message: bytes, limits: RequestLimits) -> bool:
    """Whether *message* is long enough, and has tags enough, to hold what is nested too deep."""
    deepest = limits.value_depth_max
    if len(message) < _LEVEL_BYTES * deepest:
        return False
    return len(message) - len(message.translate(None, _CONTAINER_TAGS)) > deepest


class _Walk:
    """One walk through a request; counts what it meets."""

    def __init__(self, signal: Signal | None, limits: RequestLimits) -> None:
        self._item = signal.value if signal is not None else ""
        self._limits = limits
        self._envelopes = 0
        self._fields = 0

    def envelope(self, body: bytes) -> None:
        for number, wire_type, start, stop in _fields(body, 0, len(body)):
            if (number, wire_type) == (1, _LENGTH):
                self._count_envelope()
                self._resource_group(body, start, stop)
            else:
                self._count_field()

    def item(self, kind: str, body: bytes, start: int, stop: int) -> None:
        deepest = self._limits.value_depth_max
        for number, wire_type, inner, end in _fields(body, start, stop):
            self._count_field()
            child = _CHILDREN[kind].get(number) if wire_type == _LENGTH else None
            if child in _DATA:
                for _ in _fields(body, inner, end):
                    self._count_field()
            if child is not None and end - inner >= _LEVEL_BYTES * deepest:
                self._look_into(child, body, (inner, end), deepest)

    def look_into(self, kind: str, body: bytes, span: tuple[int, int]) -> None:
        """The head of a resource or scope. What is broken in it is flat, as anywhere in a value."""
        self._look_into(kind, body, span, self._limits.value_depth_max)

    def _resource_group(self, body: bytes, start: int, stop: int) -> None:
        for number, wire_type, inner, end in _fields(body, start, stop):
            if (number, wire_type) == (2, _LENGTH):
                self._count_envelope()
                self._scope_group(body, inner, end)
            else:
                self._head("resource", body, (number, wire_type, inner, end))

    def _scope_group(self, body: bytes, start: int, stop: int) -> None:
        for number, wire_type, inner, end in _fields(body, start, stop):
            if (number, wire_type) == (2, _LENGTH):
                self.item(self._item, body, inner, end)
            else:
                self._head("scope", body, (number, wire_type, inner, end))

    def _head(self, kind: str, body: bytes, field: _Field) -> None:
        self._count_field()
        number, wire_type, inner, end = field
        deepest = self._limits.value_depth_max
        if (number, wire_type) == (1, _LENGTH) and end - inner >= _LEVEL_BYTES * deepest:
            self._look_into(kind, body, (inner, end), deepest)

    def _look_into(self, kind: str, body: bytes, span: tuple[int, int], left: int) -> None:
        fields = _fields(body, *span)
        while True:
            try:
                number, wire_type, inner, end = next(fields)
            except (StopIteration, Malformed):  # What is broken is flat: nobody can decode it.
                return
            self._count_field()
            child = _CHILDREN[kind].get(number) if wire_type == _LENGTH else None
            if child is None:
                continue
            deeper = left
            if child in _CONTAINERS:
                if not left:
                    raise Malformed(self._limits.too_deep())
                deeper -= 1
            if end - inner >= _LEVEL_BYTES * deeper:
                self._look_into(child, body, (inner, end), deeper)

    def _count_envelope(self) -> None:
        self._envelopes += 1
        if self._envelopes > self._limits.envelopes_max:
            raise TooLarge(self._limits.too_many())

    def _count_field(self) -> None:
        self._fields += 1
        if self._fields > self._limits.fields_max:
            raise TooLarge(self._limits.too_many())


def _fields(body: bytes, start: int, stop: int) -> Iterator[_Field]:
    """The fields of a message; of a group only that it is there."""
    position = start
    open_groups: list[int] = []
    while position < stop or open_groups:
        tag, position = _varint(body, position, stop, 5)
        number, wire_type = tag >> 3, tag & 7
        # The official decoder refuses the number 0, but not within a group that nobody knows.
        if tag > 0xFFFFFFFF or not (number or open_groups):
            raise _broken()
        inner = position
        if wire_type == 0:
            _, position = _varint(body, position, stop, 10)
        elif wire_type == _LENGTH:
            size, inner = _varint(body, position, stop, 10)
            position = inner + size
        elif wire_type == _START_GROUP and len(open_groups) < _GROUPS_MAX:
            open_groups.append(number)
            continue
        elif wire_type == _END_GROUP and open_groups and open_groups.pop() == number:
            pass
        elif wire_type in _FIXED_BYTES:
            position += _FIXED_BYTES[wire_type]
        else:
            raise _broken()
        if position > stop:
            raise _broken()
        if not open_groups:
            yield number, wire_type, inner, position


def _varint(body: bytes, position: int, stop: int, bytes_max: int) -> tuple[int, int]:
    value = shift = 0
    for at in range(position, min(stop, position + bytes_max)):
        byte = body[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, at + 1
        shift += 7
    raise _broken()


def _broken() -> Malformed:
    return Malformed("the framing of the request is broken")
