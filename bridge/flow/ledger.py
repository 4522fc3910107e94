"""
The delivery ledger: what came into the hands of a source, and what became of it. Items throughout.

Every column is counted where it happens and the items in flight where they are; nothing is the
difference of two others. So an account that does not balance shows a fault of ours: an item that
left without a name, or under two.

Source:
    design rule 9.20; bridge/adr/0015-delivery-ledger.md
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final
from weakref import WeakKeyDictionary, WeakMethod

from bridge.core import ACCEPTED, Counter, Metrics, Receipt, Signal


class Column(Enum):
    """What became of items. The first three are how they came in; `DUPLICATES` stands apart."""

    RECEIVED = "received"
    CONSUMED = "consumed"
    TAKEN = "taken"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    INVALID = "invalid"
    DELIVERED = "delivered"
    DEAD_LETTERED = "dead_lettered"
    DROPPED = "dropped"
    REJECTED = "rejected"
    RETURNED = "returned"
    DUPLICATES = "duplicates"

    # Enum's own hash is Python code, and counting looks columns up for every request.
    __hash__ = object.__hash__


ENTRIES: Final = (Column.RECEIVED, Column.CONSUMED, Column.TAKEN)

OF_OTLP: Final = (Column.RECEIVED, Column.ACKNOWLEDGED, Column.REFUSED, Column.INVALID)
"""Of a source whose sender waits for an answer."""

OF_KAFKA: Final = (
    *(Column.CONSUMED, Column.DELIVERED, Column.DEAD_LETTERED, Column.DROPPED, Column.REJECTED),
    *(Column.RETURNED, Column.DUPLICATES),
)
"""Of a source that keeps its data: what a revoked partition had is returned, and comes again."""

OF_GATHERING: Final = (
    *(Column.TAKEN, Column.DELIVERED, Column.DROPPED, Column.REJECTED, Column.RETURNED),
)
"""Of a stage that holds traces; what it rejected goes back to its source as an error."""


def imbalance(columns: Mapping[Column, float], in_flight: float) -> float:
    """Items that came in and are in no column; negative if some are in two. 0 is sound."""
    came = sum(columns.get(column, 0) for column in ENTRIES)
    apart = (*ENTRIES, Column.DUPLICATES)
    left = sum(count for column, count in columns.items() if column not in apart)
    return came - left - in_flight


def shares(items: list[int], receipt: Receipt) -> list[Receipt]:
    """
    What each caller of a joined batch is told.

    Whose items were dropped or rejected is not known. For the ledger, whose sums must be right,
    they are charged in the order of the callers.
    """
    if receipt is ACCEPTED:
        return [receipt] * len(items)
    message, dropped = receipt.message, receipt.dropped_items
    rejected = receipt.rejected_items + receipt.rejected_apart_items
    if receipt.rejected_items:
        message = f"{receipt.rejected_items} items of a joined batch were rejected: {message}"
    told = []
    for count in items:
        lost = min(count, dropped)
        apart = min(count - lost, rejected)
        dropped, rejected = dropped - lost, rejected - apart
        told.append(Receipt(0, message, lost, apart))
    return told


_Levels = list[WeakMethod[Callable[[], int]]]

_levels: WeakKeyDictionary[Counter, _Levels] = WeakKeyDictionary()
"""Who holds items, by the first counter of the account: counters outlive a reload, and while it
goes on the old part and the new one of a name both hold some."""


class Account:
    """
    The account of one component and signal, shown as ``bridge_ledger_*``.

    One that is made again with the same names goes on with the same figures.
    """

    def __init__(
        self, metrics: Metrics, component: str, signal: Signal, columns: tuple[Column, ...]
    ) -> None:
        self._labels = {"component": component, "signal": signal.value}
        self._counters = {
            column: metrics.counter("bridge_ledger_items", {**self._labels, "column": column.value})
            for column in columns
        }
        # What changes: who says how many items are in flight with him.
        self._levels = _levels.setdefault(self._counters[columns[0]], [])
        metrics.gauge("bridge_ledger_in_flight_items", self._labels, lambda: self.in_flight)
        metrics.gauge("bridge_ledger_imbalance", self._labels, lambda: self.imbalance)

    def __repr__(self) -> str:
        columns = ", ".join(f"{c.value} {n.value}" for c, n in self._counters.items() if n.value)
        who = f"{self._labels['component']}, {self._labels['signal']}"
        return f"Account({who}: {columns or 'nothing'}, in flight {self.in_flight})"

    @property
    def in_flight(self) -> int:
        """Items that are held now, counted by their holders."""
        found = [level() for level in self._levels]
        if None in found:
            self._levels[:] = [level for level in self._levels if level() is not None]
        return sum(level() for level in found if level is not None)

    @property
    def imbalance(self) -> float:
        """See `imbalance`."""
        columns = {column: counter.value for column, counter in self._counters.items()}
        return imbalance(columns, self.in_flight)

    def count(self, column: Column, items: int) -> None:
        """*items* came in, or left, by *column*."""
        self._counters[column].value += items

    def counter(self, column: Column) -> Counter:
        """The figure of *column*, for whoever counts in it for every request."""
        return self._counters[column]

    def settle(self, items: int, receipt: Receipt) -> None:
        """
        *items* left as *receipt* says.

        Stages may have made more items of them than there were: dropped and rejected are never
        more than came in.
        """
        if receipt.dropped_items or receipt.rejected_items or receipt.rejected_apart_items:
            dropped = min(items, receipt.dropped_items)
            rejected = receipt.rejected_items + receipt.rejected_apart_items
            rejected = min(items - dropped, rejected)
            self._counters[Column.DROPPED].value += dropped
            self._counters[Column.REJECTED].value += rejected
            items -= dropped + rejected
        self._counters[Column.DELIVERED].value += items

    def watch(self, level: Callable[[], int]) -> None:
        """Ask the method *level* how many items its object has in flight, as long as it lives."""
        self._levels.append(WeakMethod(level))

    def forget(self, level: Callable[[], int]) -> None:
        """Ask *level* no more; unknown ones are ignored."""
        gone = WeakMethod(level)
        if gone in self._levels:
            self._levels.remove(gone)
