"""``trace_state`` and one key of it, by the W3C rules."""

import re
from typing import Any

from bridge.ottl.contexts import fields
from bridge.ottl.contexts.fields import Segments, end, expect, literal_key
from bridge.ottl.errors import OttlError, OttlSyntaxError
from bridge.ottl.expressions import Cursor, Place

MEMBERS_MAX = 32

_KEY = re.compile(
    r"[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
)
_VALUE = re.compile(r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")


def parse(text: str) -> list[tuple[str, str]] | None:
    """The members in order; `None` if the text is no trace state."""
    members: list[tuple[str, str]] = []
    for piece in text.split(","):
        member = piece.strip(" \t")
        if not member:
            continue
        key, equals, value = member.partition("=")
        if not equals or not _KEY.fullmatch(key.strip(" \t")) or not _VALUE.fullmatch(value):
            return None
        if any(known == key for known, _ in members):
            return None
        members.append((key, value))
    return members if len(members) <= MEMBERS_MAX else None


def insert(members: list[tuple[str, str]], key: str, value: str) -> str | None:
    """The text with *key* in front; `None` if key or value are not allowed."""
    if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
        return None
    rest = [member for member in members if member[0] != key]
    kept = [(key, value), *rest][:MEMBERS_MAX]
    return ",".join(f"{name}={content}" for name, content in kept)


def field(segments: Segments) -> Place:
    """The whole text, or the value of one key."""
    whole = fields.text("item", "trace_state")
    keys = segments[0].keys
    if not keys:
        return whole(segments)
    bare = (fields.Segment(segments[0].name, (), segments[0].at), *segments[1:])
    end(bare)
    if len(keys) != 1:
        raise OttlSyntaxError("trace_state takes exactly one key", offset=segments[0].at)
    return _key_place(whole(bare), literal_key(keys))


def _key_place(whole: Place, key: str | None) -> Place:
    def get(cursor: Cursor) -> Any:
        members = parse(whole.get(cursor))
        if members is None:
            return None
        if key is None:
            raise OttlError("trace_state is indexed by a literal string")
        return dict(members).get(key, "")

    def put(cursor: Cursor, value: Any) -> None:
        expect(value, str, "string")
        members = parse(whole.get(cursor))
        if members is None:
            return
        if key is None:
            raise OttlError("trace_state is indexed by a literal string")
        changed = insert(members, key, value)
        if changed is not None:
            whole.set(cursor, changed)

    return Place(get, put)
