"""
The W3C ``tracestate``, as strictly as the Collector's Go library reads it.

One entry that is not valid spoils the whole list.
"""

import re

_ENTRIES_MAX = 32
_KEY = re.compile(
    rb"[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
)
_VALUE = re.compile(rb"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")


def value_of(state: bytes, key: bytes) -> bytes:
    """The value of *key* in *state*; empty if it is absent or *state* is not valid."""
    entries: dict[bytes, bytes] = {}
    for member in state.split(b","):
        if not member:
            continue
        name, equals, value = member.partition(b"=")
        name, value = name.lstrip(b" \t"), value.rstrip(b" \t")
        if not equals or not _KEY.fullmatch(name) or not _VALUE.fullmatch(value):
            return b""
        if name in entries or len(entries) == _ENTRIES_MAX:
            return b""
        entries[name] = value
    return entries.get(key, b"")
