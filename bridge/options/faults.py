"""Several faults of one section at once, each at its own place below it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One thing that is wrong below the field or model whose check found it.

    Args:
        location:
            Keys and list indexes from there to the value.
        message:
            What is wrong; further lines may quote the value with a caret.
        text:
            The value as it was read; empty if the whole is meant.
        offset:
            Index into *text* of the first wrong character; `None` if the whole is meant.
    """

    location: tuple[str | int, ...]
    message: str
    text: str = ""
    offset: int | None = None


class OptionFaults(ValueError):
    """
    What a check of a config model raises to report more than one fault.

    pydantic takes it for one error; `bridge.config` shows each fault at its own line and column.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(fault.message for fault in self.faults))
