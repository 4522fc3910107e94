"""Durations on the command line."""

from bridge.options import parse_duration_s


def positive_s(option: str, text: str) -> float:
    """
    The seconds that *option* was given as *text*, such as 5s.

    Raises:
        ValueError: If it is no duration, or not above 0; with the option's name.
    """
    try:
        found = parse_duration_s(text)
    except ValueError as problem:
        raise ValueError(f"{option}: {problem}") from None
    if found <= 0:
        raise ValueError(f"{option} must be above 0")
    return found
