"""What is wrong with a configuration, one finding at a time."""

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.config.codes import CODES
from bridge.config.position import Position


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One finding.

    `message` may have several lines, for example a condition with a caret of its own. `path` is
    the dotted key, `allowed` what may stand there instead, `hint` what to type.
    """

    code: str
    message: str
    position: Position | None = None
    path: str = ""
    hint: str = ""
    allowed: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether the configuration cannot be run because of it."""
        return not self.code.startswith("BR-2")

    @property
    def severity(self) -> str:
        """``error`` or ``warning``."""
        return "error" if self.is_error else "warning"

    @property
    def fix(self) -> str:
        """What to do: the hint of this very case, otherwise what helps with the code."""
        return self.hint or CODES[self.code].fix


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Without repetitions, errors first, each kind by source and line."""
    names: dict[str, int] = {}
    unique = list(dict.fromkeys(problems))
    for problem in unique:
        if problem.position:
            names.setdefault(problem.position.source.name, len(names))

    def rank(problem: Problem) -> tuple[bool, int, int, int]:
        position = problem.position
        if position is None:
            return (not problem.is_error, -1, 0, 0)
        return (
            not problem.is_error,
            names[position.source.name],
            position.line,
            position.column,
        )

    return sorted(unique, key=rank)
