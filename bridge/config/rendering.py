"""Problems for people and for machines."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from bridge.config.position import Position
from bridge.config.problems import Problem

Segments = list[tuple[str, str]]
"""Text with the name of its style: ``error``, ``warning``, ``dim``, ``strong``, or empty."""

STYLES: Mapping[str, str] = {
    "error": "bold red",
    "warning": "bold yellow",
    "strong": "bold",
    "dim": "dim",
    "": "",
}
"""Style name to what rich calls it."""

LINE_WIDTH_MAX = 160
"""Characters of an offending line that are shown; a one-line JSON file would fill the screen."""

_ALLOWED_SHOWN_MAX = 40

_SECRET = re.compile(
    r"""(?ix)
    ( (?: password | passwd | secret | token | api[-_]?key | authorization | \w*_pem | sasl_jaas
        | \w*headers | inline | proxy_url )
      [\w.-]* ["']? \s* [:=] \s* )
    (?! \s* ["']? \$ )   # A reference shows no secret and is worth seeing.
    ( \S .* )
    """
)

_OPEN_SECRET = re.compile(
    r"""(?ix)
    (?: password | passwd | secret | token | api[-_]?key | authorization | \w*_pem | sasl_jaas
      | \w*headers | inline | proxy_url )
    [\w-]* ["']? \s* : \s* (?: [|>] [\w+-]* )? \s* (?: \# .* )? $
    """
)
"""A key whose secret begins on the next line."""

_USER_INFO = re.compile(r"(://[^\s/@:]*:)[^\s/@]+@")
"""The password in a URL."""

_MASK = "*" * 8


def render_plain(problems: Sequence[Problem]) -> str:
    """All problems as text without any control character, ending without a newline."""
    return "".join(text for text, _ in segments(problems)).rstrip("\n")


def render_json(problems: Sequence[Problem]) -> list[dict[str, object]]:
    """
    All problems as data.

    Returns:
        One dictionary a problem with ``code``, ``severity``, ``message``, ``path``, ``fix``,
        ``allowed``, and ``file``, ``line``, ``column``, ``source_line``, which are `None` where
        there is no place.
    """
    return [
        {
            "code": problem.code,
            "severity": problem.severity,
            "message": problem.message,
            "path": problem.path,
            "fix": problem.fix,
            "allowed": list(problem.allowed),
            **_place(problem.position),
        }
        for problem in problems
    ]


def segments(problems: Sequence[Problem]) -> Segments:
    """All problems as pieces of text with their styles, and a line that counts them."""
    found: Segments = []
    for problem in problems:
        found.extend(_problem(problem))
        found.append(("\n", ""))
    found.append((f"{_summary(problems)}\n", "strong"))
    return found


def mask_secrets(line: str) -> str:
    """*line* with what looks like the value of a secret replaced by asterisks."""
    line = _SECRET.sub(lambda match: match[1] + _MASK, line)
    return _USER_INFO.sub(lambda match: match[1] + _MASK + "@", line)


def shown_line(position: Position) -> str:
    """The line of *position* without secrets, those included whose key stands some lines above."""
    line = position.source.line(position.line)
    indent, in_list = _indent(line), line.lstrip().startswith("-")
    for number in range(position.line - 1, 0, -1):
        above = position.source.line(number)
        depth = _indent(above)
        # A list may stand as far left as the key that it belongs to.
        if not above.strip() or depth > indent or (depth == indent and not in_list):
            continue
        if _OPEN_SECRET.search(above):
            return " " * _indent(line) + _MASK
        if depth < indent or not above.lstrip().startswith("-"):
            indent, in_list = depth, above.lstrip().startswith("-")
        if not indent and not in_list:
            break
    return mask_secrets(line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _place(position: Position | None) -> dict[str, object]:
    if position is None:
        return {"file": None, "line": None, "column": None, "source_line": None}
    return {
        "file": position.source.name,
        "line": position.line,
        "column": position.column,
        "source_line": shown_line(position)[:LINE_WIDTH_MAX],
    }


def _problem(problem: Problem) -> Iterator[tuple[str, str]]:
    if problem.position is not None:
        yield f"{problem.position}: ", "strong"
    yield f"{problem.severity} {problem.code}", problem.severity
    first, *others = problem.message.splitlines() or [""]
    yield f": {first}\n", ""
    for line in others:
        yield f"    {line}\n", ""
    if problem.position is not None:
        yield from _excerpt(problem.position, problem.severity)
    yield "  fix: ", "dim"
    yield f"{problem.fix}\n", ""
    if problem.allowed:
        shown = ", ".join(problem.allowed[:_ALLOWED_SHOWN_MAX])
        more = len(problem.allowed) - _ALLOWED_SHOWN_MAX
        yield "  allowed: ", "dim"
        yield f"{shown}{f' and {more} more' if more > 0 else ''}\n", ""


def _excerpt(position: Position, style: str) -> Iterator[tuple[str, str]]:
    line = shown_line(position)
    if not line.strip():
        return
    gutter = f"{position.line:>6} | "
    start = position.column - 1
    # A long line is cut on the left, so that the caret stays on the screen.
    cut = max(0, start - LINE_WIDTH_MAX // 2) if len(line) > LINE_WIDTH_MAX else 0
    shown = "".join(
        letter if letter == "\t" or unicodedata.category(letter)[0] != "C" else "?"
        for letter in line[cut : cut + LINE_WIDTH_MAX]
    )
    yield gutter, "dim"
    yield f"{shown}\n", ""
    lead = "".join("\t" if letter == "\t" else " " for letter in shown[: start - cut])
    room = max(1, len(shown) - len(lead))
    yield f"{' ' * 6} | ", "dim"
    yield f"{lead}{'^' * min(position.length, room)}\n", style
    if position.via:
        yield f"{' ' * 6} = ", "dim"
        yield f"the value came from {position.via}\n", ""


def _summary(problems: Sequence[Problem]) -> str:
    errors = sum(problem.is_error for problem in problems)
    warnings = len(problems) - errors
    counts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    ]
    if not counts:
        return "no problems"
    return f"{', '.join(counts)}; otlp-bridge explain {problems[0].code} tells more"
