"""Where in the user's text something stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """
    One text that configuration was read from.

    `name` is what a message calls it: a path, ``env:NAME``, ``yaml:`` or ``--set a.b=c``.
    """

    name: str
    text: str

    def line(self, number: int) -> str:
        """The line *number*, counted from 1, without its end; empty beyond the last one."""
        lines = self.text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Position:
    """
    A place in a source; `line` and `column` count from 1.

    `length` is the number of characters to underline, at least 1. `via` names the reference that
    the value came through, such as ``${env:PORT}``, and is empty for what the text itself says.
    """

    source: Source
    line: int
    column: int
    length: int = 1
    via: str = ""

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"
