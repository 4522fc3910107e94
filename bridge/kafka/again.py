"""Errors that several callers are told about."""

import copy
from typing import TypeVar

ErrorT = TypeVar("ErrorT", bound=BaseException)


def afresh(error: ErrorT) -> ErrorT:
    """
    A copy of *error* to raise, caused by the original.

    One exception object raised in many tasks would grow a traceback with each of them.
    """
    again = copy.copy(error)
    again.__traceback__ = None
    again.__cause__ = error.__cause__ or error
    return again
