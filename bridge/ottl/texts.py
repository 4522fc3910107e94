"""Operations on texts that count bytes, as Go's do."""

import re

_WORD_BREAKS = frozenset("_ -.")


def truncate(text: str, limit: int, *, whole: bool) -> str | None:
    """*text* cut to *limit* bytes, *whole* characters only; `None` if it is short enough."""
    data = text.encode("utf-8", "surrogateescape")
    if len(data) <= limit:
        return None
    if whole:
        while limit > 0 and data[limit] & 0xC0 == 0x80:
            limit -= 1
    return data[:limit].decode("utf-8", "surrogateescape")


def substring(text: str, start: int, length: int, *, whole: bool) -> str | None:
    """So many bytes from *start*; `None` if the text has not as many."""
    data = text.encode("utf-8", "surrogateescape")
    stop = start + length
    if stop > len(data):
        return None
    if whole:
        while start < len(data) and data[start] & 0xC0 == 0x80:
            start += 1
        while start < stop < len(data) and data[stop] & 0xC0 == 0x80:
            stop -= 1
        stop = max(start, stop)
    return data[start:stop].decode("utf-8", "surrogateescape")


def to_camel(text: str) -> str:
    """``http_server id`` becomes ``HttpServerId``; runs of capitals are lowered after the first."""
    pieces: list[str] = []
    capital, before_was_upper = True, False
    for character in text.strip():
        upper = "A" <= character <= "Z"
        lower = "a" <= character <= "z"
        shown = character
        if capital:
            shown = character.upper() if lower else character
        elif before_was_upper and upper:
            shown = character.lower()
        before_was_upper = upper
        if upper or lower:
            pieces.append(shown)
            capital = False
        elif "0" <= character <= "9":
            pieces.append(shown)
            capital = True
        else:
            capital = character in _WORD_BREAKS
    return "".join(pieces)


def to_snake(text: str) -> str:
    """``parseHTTP2Header`` becomes ``parse_http_2_header``."""
    characters = text.strip()
    pieces: list[str] = []
    for index, character in enumerate(characters):
        kind = _kind(character)
        shown = character.lower() if kind == "U" else character
        following = _kind(characters[index + 1]) if index + 1 < len(characters) else ""
        boundary = (
            (kind == "U" and following in ("L", "N") and following)
            or (kind == "L" and following in ("U", "N") and following)
            or (kind == "N" and following in ("U", "L") and following)
        )
        if boundary:
            before = _kind(characters[index - 1]) if index else ""
            if kind == before == "U" and following == "L":
                pieces.append("_")
            pieces.append(shown)
            if kind in ("L", "N") or following == "N":
                pieces.append("_")
        else:
            pieces.append("_" if character in _WORD_BREAKS else shown)
    return "".join(pieces)


def _kind(character: str) -> str:
    if "A" <= character <= "Z":
        return "U"
    if "a" <= character <= "z":
        return "L"
    return "N" if "0" <= character <= "9" else "-"


def glob_to_regex(pattern: str) -> str:
    """
    A glob as a regular expression for the whole text: ``*``, ``?``, ``[a-z]``, ``[!a]``, ``{a,b}``.

    Raises:
        ValueError: If a bracket is not closed.
    """
    pieces: list[str] = []
    index, depth = 0, 0
    while index < len(pattern):
        character = pattern[index]
        if character == "\\":
            index += 1
            pieces.append(re.escape(pattern[index : index + 1]))
        elif character == "*":
            pieces.append(".*")
        elif character == "?":
            pieces.append(".")
        elif character == "[":
            closing = pattern.find("]", index + 2)
            if closing < 0:
                raise ValueError(f"the pattern {pattern!r} has an open [")
            inside = pattern[index + 1 : closing]
            negated = inside[:1] == "!"
            members = (inside[1:] if negated else inside).replace("\\", "\\\\")
            pieces.append(f"[{'^' if negated else ''}{members.replace('^', chr(92) + '^')}]")
            index = closing
        elif character == "{":
            depth += 1
            pieces.append("(?:")
        elif character == "}" and depth:
            depth -= 1
            pieces.append(")")
        elif character == "," and depth:
            pieces.append("|")
        else:
            pieces.append(re.escape(character))
        index += 1
    # What is left open ends with the pattern, as in the Collector.
    pieces.append(")" * depth)
    return rf"(?s)\A(?:{''.join(pieces)})\z"
