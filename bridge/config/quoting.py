"""Where, in the user's file, the character of a value stands that a check complains about."""

import re
from dataclasses import replace

from bridge.config.nodes import MapNode, Node, ScalarNode, walk
from bridge.config.position import Position

_QUOTE_MIN = 3
"""Characters of a quoted line, below which it may stand anywhere."""

_BLOCK_HEADER = re.compile(r"[|>][^\n]*\n")
_BLANKS = " \t\r\n"


def position_in(node: ScalarNode, offset: int) -> Position:
    """
    Where the character at *offset* of the value's text stands.

    Blanks are passed over, since YAML folds lines and strips indentation, and quotes and escapes
    are followed. What came through a reference, or cannot be followed, stands where the value does.
    """
    position = node.position
    if position.via:
        return position
    lines = position.source.text.splitlines(keepends=True)[position.line - 1 :]
    source = "".join(lines)
    at = _find(source, position.column - 1, node.text, offset)
    if at is None:
        return position
    before = source[:at]
    column = at - (before.rfind("\n") + 1) + 1
    return replace(position, line=position.line + before.count("\n"), column=column, length=1)


def _find(source: str, at: int, text: str, offset: int) -> int | None:
    """The index in *source*, where the scalar begins at *at*, of its character at *offset*."""
    quote = source[at : at + 1] if source[at : at + 1] in ("'", '"') else ""
    header = _BLOCK_HEADER.match(source, at)
    at = header.end() if header else at + len(quote)
    last = at
    for index, wanted in enumerate(text):
        if wanted in _BLANKS and index < offset:
            continue
        while source[at : at + 1] and source[at] in _BLANKS and wanted not in _BLANKS:
            at += 1
        if wanted in _BLANKS:
            return last
        start = at
        at += _escape(source, at, quote)
        if source[at : at + 1] != wanted:
            return None
        if index == offset:
            return start
        at += 1
        last = at
    return last


def _escape(source: str, at: int, quote: str) -> int:
    r"""How many characters stand before the one that is meant: the backslash of ``\"`` and such."""
    pair = source[at : at + 2]
    if quote == '"' and pair[:1] == "\\" and pair[1:] in ('"', "\\", "/"):
        return 1
    return 1 if quote == "'" and pair == "''" else 0


def named(node: Node, message: str) -> Position | None:
    """Where a key stands that *message* names; a check of a section usually does."""
    if not isinstance(node, MapNode):
        return None
    words = re.findall(r"\w+", message)
    # Words of plain English are keys too, so only the first word may be a short one.
    for index, word in enumerate(words):
        if word in node.entries and (index == 0 or "_" in word):
            return node.entries[word].key
    return None


def quoted(node: Node, message: str) -> Position | None:
    """Where the text stands that *message* quotes on a line of its own, with its caret."""
    _, *lines = message.splitlines()
    for index, line in enumerate(lines):
        shown = line.strip()
        for _, found in walk(node):
            if not isinstance(found, ScalarNode) or not isinstance(found.value, str):
                continue
            if len(shown) < _QUOTE_MIN or shown not in found.text:
                continue
            caret = lines[index + 1].find("^") if index + 1 < len(lines) else -1
            if caret < 0:
                return found.position
            shift = caret - (len(line) - len(line.lstrip()))
            return position_in(found, found.text.index(shown) + shift)
    return None
