"""
What can be wrong with a statement: its text, found at start, or one item's data, found at run time.

    ConfigError
      OttlSyntaxError     the text cannot be run; carries line, column and a caret
    BridgeError
      OttlError           this statement failed on this item; `error_mode` decides what follows
        OttlTypeError     the value at hand has another type than asked for
"""

from bridge.core import BridgeError, ConfigError


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


def _position(text: str, offset: int | None) -> tuple[int, int]:
    if offset is None:
        return 1, 1
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
