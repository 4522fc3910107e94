"""
Counting down what requests wait for, share by share: compiled where it can be. Pure.

A request of a hundred spans has a share in nearly every batch of a flush, so that these few
additions are done more often than anything else that is done for a request.
"""

from typing import TYPE_CHECKING, Self, TypeVar

from bridge.core import load_compiled


class PureTally:
    """
    What one request still waits for, and what became of its items.

    `open_entries` counts entries that are neither written nor refused, and begins with one for
    whoever adds entries. `live` is whether somebody waits.
    """

    __slots__ = ("acknowledged_items", "in_doubt_items", "live", "open_entries")

    open_entries: int
    acknowledged_items: int
    in_doubt_items: int
    live: bool

    def __new__(cls, *_: object) -> Self:
        """Begin to count; the arguments are for the `__init__` of whoever inherits."""
        tally = super().__new__(cls)
        tally.open_entries = 1
        tally.acknowledged_items = 0
        tally.in_doubt_items = 0
        tally.live = True
        return tally


TallyT = TypeVar("TallyT", bound=PureTally)

Shares = list[tuple[TallyT, int, int]]
"""Parts of one entry: whose it is, how many items, and where it ends in the entry's value."""


def open_in_python(shares: Shares[TallyT]) -> None:
    """Note that each tally has one more entry to wait for."""
    for tally, _, _ in shares:
        tally.open_entries += 1


def doubt_in_python(shares: Shares[TallyT], sign: int) -> None:
    """Note that all items may be written (1), or that they certainly are not (-1)."""
    for tally, items, _ in shares:
        tally.in_doubt_items += sign * items


def acknowledge_in_python(shares: Shares[TallyT]) -> list[TallyT]:
    """Note that all items are written, and no longer in doubt; gives who waits for no more."""
    closed = []
    for tally, items, _ in shares:
        tally.in_doubt_items -= items
        tally.acknowledged_items += items
        tally.open_entries -= 1
        if tally.open_entries == 0:
            closed.append(tally)
    return closed


def all_live_in_python(shares: Shares[TallyT]) -> bool:
    """Whether somebody waits for each of *shares*."""
    return all(tally.live for tally, _, _ in shares)


_compiled = load_compiled("bridge.kafka")

if TYPE_CHECKING or _compiled is None:
    Tally = PureTally
    open_shares = open_in_python
    doubt_shares = doubt_in_python
    acknowledge_shares = acknowledge_in_python
    all_live = all_live_in_python
else:
    Tally = _compiled.Tally
    open_shares = _compiled.open_shares
    doubt_shares = _compiled.doubt_shares
    acknowledge_shares = _compiled.acknowledge_shares
    all_live = _compiled.all_live
