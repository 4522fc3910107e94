"""Joining is concatenation."""

from bridge.core import Signal
from bridge.wire import count_items, join

ONE_SPAN = b"\x0a\x04\x12\x02\x12\x00"


def test_join_holds_the_items_of_all() -> None:
    """Nothing is lost, and a single body is not copied."""
    assert count_items(Signal.TRACES, join([ONE_SPAN] * 3)) == 3
    assert ONE_SPAN is join([ONE_SPAN])
    assert join([]) == b""
