"""Errors of OTTL texts as faults of a config section, each at the text that has it."""

from collections.abc import Callable, Sequence

from bridge.options import Fault, OptionFaults
from bridge.ottl import Conditions, Location, OttlSyntaxErrors, SyntaxFaults

Rename = Callable[[Location], Location]
"""From the place of a text in its group to its place below the field that is checked."""


def check_texts(
    attempts: Sequence[tuple[Rename, Callable[[], object]]],
) -> None:
    """
    Compile groups of texts, each for the sake of its errors.

    Raises:
        OptionFaults: If something in any of them cannot run.
    """
    faults: list[Fault] = []
    for rename, attempt in attempts:
        found = SyntaxFaults()
        found.attempt((), attempt)
        try:
            found.check()
        except OttlSyntaxErrors as errors:
            faults += [
                Fault(rename(place), str(error), error.text, error.offset)
                for place, error in errors.faults
            ]
    if faults:
        raise OptionFaults(faults)


def check_conditions(context: str, texts: Sequence[str]) -> None:
    """
    Check a plain list of conditions of one context.

    Raises:
        OptionFaults: If some cannot run.
    """
    check_texts([(lambda place: place[1:], lambda: Conditions(context, texts))])
