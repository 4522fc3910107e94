"""
Reading one value out of an item's bytes without making a node of the item.

Most items of a filter are kept, or are not touched by a statement. A glance costs a fraction of
what parsing does; where it cannot tell (a key that stands somewhere else too, an unusual layout,
a long value) the item is parsed.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from bridge.ottl import native
from bridge.ottl.attributes import Key
from bridge.ottl.codec import decode
from bridge.ottl.errors import OttlError

Probe = Callable[[bytes], bool]
"""
From an item's bytes to false if a test is false for it and cannot fail; to true if it may be true.
"""

Decide = Callable[[Any], bool]
"""An answer about a value. May raise `OttlError`: then the item has to be looked at."""

Glance = Callable[[Decide], Probe]
"""Makes the probe that decides about one value of the item."""

REMEMBERED_MAX = 4096
"""Values of one field whose answers a probe remembers; they repeat."""

_LENGTH = 2
_SHORT = 0x80
_TAG_MAX = 0x80


def attribute(key: Key, number: int) -> Glance | None:
    """
    A glance at one attribute.

    Args:
        number:
            The field of the item that holds its attributes.
    """
    if native.compiled is not None:
        return _exact(key.name, number, native.compiled.glance)
    return _by_pattern(key, number)


def _exact(name: bytes, number: int, look: Callable[[bytes, int, bytes], Any]) -> Glance:
    """By the compiled form, which follows the fields whatever their order."""

    def make(decide: Decide) -> Probe:
        answers: dict[bytes, bool] = {}
        absent = _answer(decide, None)

        def probe(raw: bytes) -> bool:
            data = look(raw, number, name)
            if data is None:
                return absent
            if data is NotImplemented or len(data) > _SHORT:
                return True
            answer = answers.get(data)
            return _learn(answers, decide, data) if answer is None else answer

        return probe

    return make


def _by_pattern(key: Key, number: int) -> Glance | None:
    """By a search for the bytes of a key in front of its value, as SDKs write it."""
    name, tag = key.name, number << 3 | _LENGTH
    pattern = key.prefix + b"\x12"
    if not name or len(name) >= _SHORT or tag >= _TAG_MAX:
        return None
    size = len(pattern)

    def make(decide: Decide) -> Probe:
        answers: dict[bytes, bool] = {}
        absent = _answer(decide, None)

        def probe(raw: bytes) -> bool:
            at = raw.find(pattern)
            if at < 2:
                return True if at >= 0 or name in raw else absent
            start = at + size
            try:
                stop = start + 1 + raw[start]
            except IndexError:
                return True
            # Such a pair stands in events and nested maps too, but behind another tag.
            if stop - start > _SHORT or raw[at - 1] != stop - at or raw[at - 2] != tag:
                return True
            if raw.find(name, stop) >= 0:
                return True
            data = raw[start + 1 : stop]
            answer = answers.get(data)
            return _learn(answers, decide, data) if answer is None else answer

        return probe

    return make


def _learn(answers: dict[bytes, bool], decide: Decide, data: bytes) -> bool:
    """What is decided of an encoded value, remembered for the next item that has it."""
    try:
        answer = decide(decode(data))
    except OttlError:
        answer = True
    _remember(answers, data, answer)
    return answer


def _answer(decide: Decide, value: Any) -> bool:
    try:
        return decide(value)
    except OttlError:
        return True


def _remember(answers: dict[Any, bool], value: Any, answer: bool) -> None:
    if len(answers) >= REMEMBERED_MAX:
        answers.clear()
    answers[value] = answer


def scalar(message: Any, name: str, convert: Callable[[Any], Any] | None = None) -> Glance:
    """
    A glance at the field *name* of the item, by a narrow *message* class that holds little else.

    Args:
        convert:
            Makes the value of what the message holds.
    """
    parse, read = message.FromString, attrgetter(name)

    def make(decide: Decide) -> Probe:
        answers: dict[Any, bool] = {}

        def probe(raw: bytes) -> bool:
            try:
                found = read(parse(raw))
            except DecodeError:
                return True
            answer = answers.get(found)
            if answer is None:
                answer = _answer(decide, convert(found) if convert else found)
                _remember(answers, found, answer)
            return answer

        return probe

    return make


def all_of(probes: list[Probe]) -> Probe:
    """A probe for tests that must all hold."""
    if len(probes) == 1:
        return probes[0]
    return lambda raw: all(run(raw) for run in probes)


def any_of(probes: list[Probe]) -> Probe:
    """A probe for tests of which one must hold."""
    if len(probes) == 1:
        return probes[0]
    return lambda raw: any(run(raw) for run in probes)
