"""Errors for several callers."""

from bridge.core import Denied, Overloaded
from bridge.kafka.again import afresh


def test_copy_keeps_what_the_error_carries_and_chains_it() -> None:
    """Kind, text, hints; the original is the cause, or its own cause is."""
    error = Overloaded("full", retry_after_s=2.5)
    copy = afresh(error)
    assert (type(copy), str(copy), copy.retry_after_s) == (Overloaded, "full", 2.5)
    assert copy.__cause__ is error
    denied = Denied("no", hint="type this")
    denied.__cause__ = error

    assert afresh(denied).__cause__ is error
    assert afresh(denied).hint == "type this"
