"""
What can be wrong with a statement: its text, found at start, or one item's data, found at run time.

    ConfigError
      OttlSyntaxError     the text cannot be run; carries line, column and a caret
        OttlSyntaxErrors  several texts of one group cannot
    BridgeError
      OttlError           this statement failed on this item; `error_mode` decides what follows
        OttlTypeError     the value at hand has another type than asked for
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from bridge.core import BridgeError, ConfigError

_Made = TypeVar("_Made")

Location = tuple[str | int, ...]
"""Which text of a group is meant, such as ``("statements", 3)``."""


class OttlError(BridgeError):
    """A statement or condition failed on one item. Never leaves the processor that ran it."""


class OttlTypeError(OttlError):
    """A value has not the type that a parameter wants; the `Is...` converters answer by it."""


class OttlSyntaxError(ConfigError, ValueError):
    """
    A statement that can never run.

    It is a `ValueError` too, so that pydantic collects it beside the other errors of the config.

    Args:
        message:
            What is wrong and what was expected, one line.
        text:
            The whole statement.
        offset:
            Index into *text* of the first wrong character; `None` when the whole is meant.
    """

    def __init__(self, message: str, text: str = "", offset: int | None = None) -> None:
        self.message = message
        self.text = text
        self.offset = offset
        self.line, self.column = _position(text, offset)
        super().__init__(self._render())

    def within(self, text: str) -> "OttlSyntaxError":
        """The same error inside *text*; keeps an own text if it has one."""
        return self if self.text else OttlSyntaxError(self.message, text, self.offset)

    def _render(self) -> str:
        if not self.text:
            return self.message
        if self.offset is None:
            return f"{self.message}\n  {self.text}"
        line = self.text.split("\n")[self.line - 1]
        caret = " " * (self.column - 1) + "^"
        return f"line {self.line}, column {self.column}: {self.message}\n  {line}\n  {caret}"


class OttlSyntaxErrors(OttlSyntaxError):
    """
    Statements and conditions of one group that can never run, at least one.

    As an `OttlSyntaxError` it is the first of them; its text shows all.

    Args:
        faults:
            Each with the place of its text in the group; an empty place means the group.
    """

    def __init__(self, faults: Sequence[tuple[Location, OttlSyntaxError]]) -> None:
        self.faults = tuple(faults)
        first = self.faults[0][1]
        super().__init__(first.message, first.text, first.offset)

    def _render(self) -> str:
        return "\n".join(str(error) for _, error in self.faults)


class SyntaxFaults:
    """Gathers the errors of a group's texts, so that all are told at once."""

    def __init__(self) -> None:
        self._found: list[tuple[Location, OttlSyntaxError]] = []

    def attempt(self, location: Location, make: Callable[[], _Made]) -> _Made | None:
        """What *make* gives; `None` if it raises `OttlSyntaxError`, kept for *location*."""
        try:
            return make()
        except OttlSyntaxErrors as errors:
            self._found += [((*location, *inner), error) for inner, error in errors.faults]
        except OttlSyntaxError as error:
            self._found.append((location, error))
        return None

    def __bool__(self) -> bool:
        return bool(self._found)

    def check(self) -> None:
        """
        Say that nothing is wrong.

        Raises:
            OttlSyntaxErrors: If something is.
        """
        if self._found:
            raise OttlSyntaxErrors(sorted(self._found, key=lambda fault: fault[0]))


def _position(text: str, offset: int | None) -> tuple[int, int]:
    if offset is None:
        return 1, 1
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
