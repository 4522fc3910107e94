"""
The oracle of loss: every span id that was sent, acknowledged, and seen at the end.

Ids are any hashable; for spans the 24 bytes of trace id and span id. What may become of an
acknowledged id has five names, and a balance that leaves one without a name has lost it.
Duplicates are a column of their own and never make up for a loss.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Balance:
    """
    What became of the ids at one moment.

    `missing` were acknowledged and are in no class: lost, or still in flight while data flows.
    `duplicates` counts deliveries beyond the first of an id. `unknown` were delivered and never
    sent. `unacknowledged` were sent without an answer and may be anywhere.
    """

    sent: int
    acknowledged: int
    delivered: int
    dead_lettered: int
    dropped: int
    rejected: int
    missing: frozenset[Hashable]
    duplicates: int
    unknown: frozenset[Hashable]
    unacknowledged: int

    @property
    def lossless(self) -> bool:
        """Whether every acknowledged id is accounted for."""
        return not self.missing and not self.unknown

    def __str__(self) -> str:
        return (
            f"sent {self.sent}, acknowledged {self.acknowledged}, delivered {self.delivered}, "
            f"dead-lettered {self.dead_lettered}, dropped by rule {self.dropped}, "
            f"rejected {self.rejected}, missing {len(self.missing)}, "
            f"duplicates {self.duplicates}, unknown {len(self.unknown)}, "
            f"unacknowledged {self.unacknowledged}"
        )


class Ledger:
    """Books of one run; memory grows with the number of ids."""

    def __init__(self) -> None:
        # What changes: ids by what was seen of them.
        self._sent: set[Hashable] = set()
        self._acknowledged: set[Hashable] = set()
        self._delivered: Counter[Hashable] = Counter()
        self._dead_lettered: set[Hashable] = set()
        self._dropped: set[Hashable] = set()
        self._rejected: set[Hashable] = set()

    def sent(self, ids: Iterable[Hashable]) -> None:
        """Note ids before they go out."""
        self._sent.update(ids)

    def acknowledged(self, ids: Iterable[Hashable]) -> None:
        """Note ids that were answered with OK."""
        self._acknowledged.update(ids)

    def delivered(self, ids: Iterable[Hashable]) -> None:
        """Note ids that the backend has, once for each time it got them."""
        self._delivered.update(ids)

    def dead_lettered(self, ids: Iterable[Hashable]) -> None:
        """Note ids in the dead-letter topic."""
        self._dead_lettered.update(ids)

    def dropped(self, ids: Iterable[Hashable]) -> None:
        """Note ids that a named rule (a filter, a sampling policy) was to drop."""
        self._dropped.update(ids)

    def rejected(self, ids: Iterable[Hashable]) -> None:
        """Note ids that the backend refused in a partial success."""
        self._rejected.update(ids)

    def balance(self) -> Balance:
        """Compare the books."""
        seen = self._delivered.keys()
        known = seen | self._dead_lettered | self._dropped | self._rejected
        return Balance(
            sent=len(self._sent),
            acknowledged=len(self._acknowledged),
            delivered=len(self._delivered),
            dead_lettered=len(self._dead_lettered),
            dropped=len(self._dropped),
            rejected=len(self._rejected),
            missing=frozenset(self._acknowledged - known),
            duplicates=self._delivered.total() - len(self._delivered),
            unknown=frozenset(seen - self._sent),
            unacknowledged=len(self._sent - self._acknowledged),
        )
