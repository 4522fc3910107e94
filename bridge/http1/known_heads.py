"""
Heads that a connection has sent before, recognised by their bytes.

The requests of one client differ in the number behind ``Content-Length`` and in nothing else. What
the parser has read of such a head holds for every head with the same bytes around that number, so
it need not be read again.
"""

import re
from typing import Final

from bridge.http1.limits import Http1Limits
from bridge.http1.message import Head

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*(?=\r\n)", re.IGNORECASE)
_LENGTH_DIGITS_MAX: Final = 10
_READ_BY_THE_PARSER: Final = (b"transfer-encoding", b"upgrade", b"expect")
"""Fields that change how a body is read, or what is said before it."""

_END: Final = b"\r\n\r\n"
_LINES_BESIDE_FIELDS: Final = 3
"""The request line, the declared length, and the empty line."""

FoundHead = tuple[Head, int, int]
"""The head, the length of the body in bytes (at least 1), and where the body begins."""


class KnownHeads:
    """
    The heads of one connection that have come at least twice.

    Bounded, and cleared when full: a client whose heads always differ is none the worse for it,
    since only what repeats is learnt.
    """

    __slots__ = ("_count_max", "_head_bytes_max", "_shapes")

    def __init__(self, limits: Http1Limits) -> None:
        self._count_max = limits.cached_heads_max
        self._head_bytes_max = limits.head_bytes_max
        # What changes: the bytes before the number and behind it, and what they say.
        self._shapes: list[tuple[bytes, bytes, Head]] = []

    def find(self, data: bytes, position: int = 0) -> FoundHead | None:
        """The known head that begins at *position* of *data* and ends in it."""
        for before, behind, head in self._shapes:
            if not data.startswith(before, position):
                continue
            number_at = position + len(before)
            end = data.find(behind, number_at, number_at + _LENGTH_DIGITS_MAX + len(behind))
            if end < 0:
                continue
            digits = data[number_at:end]
            body_at = end + len(behind)
            if digits.isdigit() and body_at - position <= self._head_bytes_max:
                length = int(digits)
                return (head, length, body_at) if length else None
        return None

    def learn(self, data: bytes, position: int, head: Head, content_length: int) -> None:
        """
        Know *head* by its bytes from now on, if they are as plain as they could be.

        Args:
            data: Holds that head at *position*; the parser has accepted it.
            content_length: What it declares, in bytes.
        """
        if head.method != b"POST" or head.http_1_0 or not head.keep_alive or not content_length:
            return
        if any(head.get(name) is not None for name in _READ_BY_THE_PARSER):
            return
        text = data[position : data.find(_END, position) + len(_END)]
        # The parser is told apart from us by nothing but line ends: each must be one for both.
        lines = len(head.fields) + _LINES_BESIDE_FIELDS
        if text.count(b"\r\n") != lines or text.count(b"\n") != lines or text.count(b"\r") != lines:
            return
        lengths = list(_LENGTH.finditer(text))
        if len(lengths) != 1 or int(lengths[0][1]) != content_length:
            return
        if len(self._shapes) >= self._count_max:
            # Whoever sends so many is better served by the parser.
            self._shapes.clear()
        start, stop = lengths[0].span(1)
        self._shapes.append((text[:start], text[stop:], head))
