"""
References in text: ``${env:NAME}``, ``${env:NAME:-default}``, ``${NAME}``, ``${file:PATH}``.

A template is taken apart here once; what a reference gives is never looked at again, so that a
value from outside cannot bring references of its own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

DEPTH_MAX = 8
"""Of references in the default of a reference."""

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(?!-)")


class BadReference(Exception):
    """
    A reference that cannot be followed.

    `code` is ``BR-1101`` to ``BR-1103``, `start` the index in the text where it begins.
    """

    def __init__(self, code: str, message: str, start: int, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.start, self.hint = code, start, hint


@dataclass(frozen=True, slots=True)
class Reference:
    """
    One ``${...}``.

    `name` is the variable, path or text behind the scheme; `default` is a template of its own,
    `None` without one. `start` and `written` are where it stands and what it looks like.
    """

    scheme: str
    name: str
    default: "Template | None"
    start: int
    written: str


Template = tuple[str | Reference, ...]
"""Literal text and references in turn; empty for empty text."""


def parse_template(text: str, start: int = 0, depth: int = 0) -> Template:
    """
    Take *text* apart; ``$$`` is a dollar sign.

    Raises:
        BadReference: If a reference is not closed, or none of the known forms.
    """
    parts: list[str | Reference] = []
    literal: list[str] = []
    index = 0
    while index < len(text):
        if text.startswith("$$", index):
            literal.append("$")
            index += 2
        elif text.startswith("${", index):
            end = _closing(text, index, start)
            if literal:
                parts.append("".join(literal))
                literal = []
            parts.append(_reference(text[index:end], start + index, depth))
            index = end
        else:
            literal.append(text[index])
            index += 1
    if literal:
        parts.append("".join(literal))
    return tuple(parts)


def render(template: Template, resolve: Callable[[Reference], str]) -> str:
    """The text of *template*, with what *resolve* gives for each reference."""
    return "".join(part if isinstance(part, str) else resolve(part) for part in template)


def _closing(text: str, opening: int, start: int) -> int:
    """The index behind the brace that closes the reference at *opening*."""
    depth, index = 0, opening
    while index < len(text):
        if text.startswith("${", index):
            depth += 1
            index += 2
            continue
        if text[index] == "}":
            depth -= 1
            if depth == 0:
                return index + 1
        index += 1
    message = f"the reference {text[opening : opening + 20]} is never closed"
    hint = "close it with }, or write $${ if no reference is meant"
    raise BadReference("BR-1103", message, start + opening, hint)


def _reference(written: str, start: int, depth: int) -> Reference:
    if depth >= DEPTH_MAX:
        message = f"references are nested deeper than {DEPTH_MAX}"
        raise BadReference("BR-1103", message, start)
    inside = written[2:-1]
    match = _SCHEME.match(inside)
    scheme = match[1] if match else "env"
    rest = inside[match.end() :] if match else inside
    if scheme == "env":
        return _variable(written, rest, start, depth)
    if scheme in ("file", "yaml"):
        if "${" in rest:
            message = f"{written}: a reference inside of a {scheme} reference is not supported"
            raise BadReference("BR-1103", message, start)
        return Reference(scheme, rest, None, start, written)
    message = f"{written}: the scheme {scheme} is not supported"
    hint = "use ${env:NAME} or ${file:PATH}, or write $$ for a dollar sign that is meant as such"
    raise BadReference("BR-1103", message, start, hint)


def _variable(written: str, rest: str, start: int, depth: int) -> Reference:
    name, dash, default = rest.partition(":-")
    if not _NAME.fullmatch(name):
        message = f"{written}: {name!r} is no name of an environment variable"
        hint = f"write ${written} if no reference is meant" if "$" not in name else ""
        raise BadReference("BR-1103", message, start, hint)
    if not dash:
        return Reference("env", name, None, start, written)
    shift = start + len(written) - 1 - len(default)
    return Reference("env", name, parse_template(default, shift, depth + 1), start, written)
