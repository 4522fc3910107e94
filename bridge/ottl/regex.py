"""RE2 patterns as OTTL uses them: unanchored, compiled at start, matches remembered."""

import re as _standard
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression

PATTERN_MEMORY_MAX_BYTES = 8 << 20
"""What RE2 may use for one pattern; a pattern that needs more does not compile."""

REMEMBERED_MAX = 2048
"""Texts whose answer one pattern remembers: names repeat, and a look-up costs a tenth."""

REMEMBERED_LENGTH_MAX = 256
"""Longer texts hardly repeat."""

DYNAMIC_MAX = 256
"""Patterns from attributes that stay compiled."""

_UNANCHORED = re2._Anchor.UNANCHORED

_OPTIONS = re2.Options()
_OPTIONS.max_mem = PATTERN_MEMORY_MAX_BYTES
_OPTIONS.log_errors = False


def compile_pattern(pattern: str) -> Any:
    """
    Compile *pattern*.

    Raises:
        ValueError: If RE2 does not take it; says why.
    """
    try:
        return re2.compile(pattern.encode("utf-8", "surrogateescape"), _OPTIONS)
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"the pattern {pattern!r} is not valid: {text}") from None


@lru_cache(maxsize=DYNAMIC_MAX)
def _compile_dynamic(pattern: str) -> Any:
    try:
        return compile_pattern(pattern)
    except ValueError as error:
        raise OttlError(str(error)) from None


@lru_cache(maxsize=DYNAMIC_MAX)
def _remember_dynamic(pattern: str) -> Callable[[str], bool]:
    try:
        return remember(pattern)
    except ValueError as error:
        raise OttlError(str(error)) from None


def to_bytes(text: str) -> bytes:
    """The bytes of *text*, surrogate escapes undone."""
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    """The text of *data*, with surrogate escapes where it is no UTF-8."""
    return data.decode("utf-8", "surrogateescape")


class Pattern:
    """
    The pattern that an argument gives.

    Raises:
        ValueError: If it is a literal that RE2 does not take.
    """

    __slots__ = ("_compiled", "_expression", "_matches")

    def __init__(self, expression: Expression) -> None:
        self._expression = expression
        self._compiled: Any = None
        self._matches: Callable[[str], bool] | None = None
        if expression.literal:
            self._compiled = compile_pattern(expression.value)
            self._matches = remember(expression.value)

    def compiled(self, cursor: Cursor) -> Any:
        """
        The compiled pattern.

        Raises:
            OttlError: If the pattern comes from an item and is not valid.
        """
        if self._compiled is not None:
            return self._compiled
        return _compile_dynamic(self._expression.get(cursor))

    def matcher(self, cursor: Cursor) -> Callable[[str], bool]:
        """
        A function that says whether a text contains a match.

        Raises:
            OttlError: If the pattern comes from an item and is not valid.
        """
        return self._matches or _remember_dynamic(self._expression.get(cursor))

    @property
    def fixed(self) -> Callable[[str], bool] | None:
        """The function of `matcher` if the pattern is a literal."""
        return self._matches


def remember(pattern: str) -> Callable[[str], bool]:
    """
    A function that says whether a text contains a match of *pattern*, and knows its last answers.

    Raises:
        ValueError: If RE2 does not take the pattern.
    """
    # A set of one pattern answers yes or no without building a match object.
    only = re2.Set.SearchSet(_OPTIONS)
    try:
        only.Add(to_bytes(pattern))
    except re2.error:
        compile_pattern(pattern)
        raise
    only.Compile()
    search = only.Match
    known: dict[str, bool] = {}

    def matches(text: str) -> bool:
        answer = known.get(text)
        if answer is None:
            answer = bool(search(to_bytes(text)))
            if len(text) <= REMEMBERED_LENGTH_MAX:
                if len(known) >= REMEMBERED_MAX:
                    known.clear()
                known[text] = answer
        return answer

    return matches


_TEMPLATE = _standard.compile(rb"\$(?:\$|([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})")

Template = list[bytes | int]
"""A replacement taken apart: bytes as they are, and numbers of groups."""


def parse_template(text: str, compiled: Any) -> Template:
    """
    A replacement text with ``$1``, ``${name}`` and ``$$``.

    A name that the pattern lacks stands for nothing; ``$1x`` is the group named ``1x``.
    """
    data, names = to_bytes(text), compiled.groupindex
    pieces: Template = []
    position = 0
    for match in _TEMPLATE.finditer(data):
        pieces.append(data[position : match.start()])
        position = match.end()
        name = match[1] or match[2]
        if name is None:
            pieces.append(b"$")
        elif name.isdigit() and not (len(name) > 1 and name[:1] == b"0"):
            if int(name) <= compiled.groups:
                pieces.append(int(name))
        else:
            index = names.get(name, names.get(name.decode()))
            if index is not None:
                pieces.append(index)
    pieces.append(data[position:])
    return [piece for piece in pieces if piece != b""]


Spans = list[tuple[int, int]]
"""Where a match and its groups begin and end; -1 for a group that took no part."""


def expand(template: Template, data: bytes, spans: Spans) -> bytes:
    """*template* filled from a match in *data*."""
    if len(template) == 1 and type(template[0]) is bytes:
        return template[0]
    pieces = []
    for piece in template:
        if isinstance(piece, bytes):
            pieces.append(piece)
        else:
            start, end = spans[piece]
            pieces.append(data[start:end])
    return b"".join(pieces)


def find_all(compiled: Any, data: bytes) -> list[Spans]:
    """
    The matches from left to right, none overlapping, as Go finds them.

    An empty match that touches the end of the match before is none.
    """
    # Beneath the wrapper that makes an object of each match and costs more than the search.
    search, size = compiled._regexp.Match, len(data)
    found: list[Spans] = []
    at, last_end = 0, -1
    # At the end only an empty match is left, and behind a match that ends there it is none.
    while at < size or at == size != last_end:
        spans: Spans = search(_UNANCHORED, data, at, size)
        start, end = spans[0]
        if start < 0:
            break
        # Inside a character Go never looks for an empty match.
        inside = start < size and data[start] & 0xC0 == 0x80
        if start < end or (end != last_end and not inside):
            found.append(spans)
            last_end = end
        at = end if end > at else at + 1
    return found


def replace(compiled: Any, template: Template, text: str) -> str | None:
    """*text* with every match replaced; `None` if nothing matches."""
    data = text.encode("utf-8", "surrogateescape")
    matches = find_all(compiled, data)
    if not matches:
        return None
    pieces: list[bytes] = []
    position = 0
    for spans in matches:
        start, end = spans[0]
        pieces += (data[position:start], expand(template, data, spans))
        position = end
    pieces.append(data[position:])
    return b"".join(pieces).decode("utf-8", "surrogateescape")
