"""
Custody when a batch goes to several branches: a record is finished when every branch finished it.

Without this, a sampler in one branch would let the source commit records that another branch has
not delivered yet, and a crash would lose them there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from bridge.core import NOTHING_DROPPED, Batch, Custody


class BranchCustody:
    """One branch's view of the custody of one batch."""

    __slots__ = ("_branch", "_shared")

    def __init__(self, shared: "SharedCustody", branch: int) -> None:
        self._shared = shared
        self._branch = branch

    @property
    def topic(self) -> str:
        """The topic that is read."""
        return self._shared.custody.topic

    @property
    def partition(self) -> int:
        """The partition of it."""
        return self._shared.custody.partition

    @property
    def epoch(self) -> int:
        """That of the source's own book."""
        return self._shared.custody.epoch

    @property
    def closed(self) -> bool:
        """Whether the assignment ended."""
        return self._shared.custody.closed

    @property
    def assignment(self) -> object:
        """The same in every branch and for every batch of one assignment."""
        return self._shared.custody.assignment

    def caught_up(self) -> bool:
        """Whether the source is; the other branches may be slower."""
        return self._shared.custody.caught_up()

    def finish(self, offsets: Iterable[int], dropped: Mapping[int, int] = NOTHING_DROPPED) -> None:
        """Mark records as finished in this branch."""
        self._shared.finish(self._branch, offsets, dropped)

    def hold(self, offsets: Iterable[int]) -> None:
        """Say that this branch keeps records in a budget of its own."""
        self._shared.hold(self._branch, offsets)


class SharedCustody:
    """The custody of one batch that is with several branches at the same time."""

    def __init__(self, custody: Custody, batch: Batch, branches: int) -> None:
        self.custody = custody
        self._branches = branches
        # For each offset the branches that still have it, and those that have it in flight: neither
        # finished it nor keep it in a budget of their own.
        self._unfinished = {record.offset: set(range(branches)) for record in batch.origin.records}
        self._in_flight = {record.offset: set(range(branches)) for record in batch.origin.records}
        self._running = branches
        # Of each record the fewest items that a branch dropped: what one branch delivers arrives.
        self._dropped: dict[int, int] = {}
        self._holding = False
        self._untold: list[int] = []
        self._open = True

    def views(self, batch: Batch) -> Iterator[Batch]:
        """The batch once for each branch, with that branch's custody."""
        for branch in range(self._branches):
            view = BranchCustody(self, branch)
            yield replace(batch, origin=replace(batch.origin, custody=view))

    def finish(
        self, branch: int, offsets: Iterable[int], dropped: Mapping[int, int] = NOTHING_DROPPED
    ) -> None:
        """Finish *offsets* in *branch*, and at the source those that no branch has any more."""
        if not self._open:
            return
        named = list(offsets)
        for offset in named:
            if branch in self._unfinished.get(offset, ()):
                fewest = min(self._dropped.get(offset, 1 << 62), dropped.get(offset, 0))
                self._dropped[offset] = fewest
        done = _leave(self._unfinished, branch, named)
        if done:
            lost = {offset: self._dropped.pop(offset) for offset in done}
            self.custody.finish(done, {at: count for at, count in lost.items() if count})
        self._let_go(branch, named)

    def hold(self, branch: int, offsets: Iterable[int]) -> None:
        """
        Let *branch* keep records in a budget of its own.

        The source is told of what every branch has taken over or is done with: as long as one of
        them has a record in flight, it counts against the source's window.
        """
        self._holding = True
        self._let_go(branch, list(offsets))

    def complete(self, branch: int) -> None:
        """*branch* has taken the whole batch, or will never take it."""
        self._running -= 1
        every = list(self._in_flight.keys() | self._unfinished.keys())
        if self._running:
            self.finish(branch, every)
        else:
            # The caller of all branches has its answer now, which finishes the rest and tells what
            # was dropped of it; nobody knows of which record that was.
            self._let_go(branch, every)

    def close(self) -> None:
        """Ignore what comes later: the source has its answer, or will deliver again."""
        self._open = False

    def _let_go(self, branch: int, offsets: list[int]) -> None:
        nowhere = _leave(self._in_flight, branch, offsets)
        # Where nobody keeps records for long, the return of `deliver` frees the window; what was
        # let go of before the first one is kept is told with it.
        self._untold += nowhere
        if self._open and self._holding and self._untold:
            told, self._untold = self._untold, []
            self.custody.hold(told)


def _leave(held: dict[int, set[int]], branch: int, offsets: list[int]) -> list[int]:
    """Take *branch* out of those that have *offsets*; which of them nobody has any more."""
    nobody = []
    for offset in offsets:
        branches = held.get(offset)
        if branches is None:
            continue
        branches.discard(branch)
        if not branches:
            del held[offset]
            nobody.append(offset)
    return nobody
