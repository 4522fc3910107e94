"""
Custody when a batch goes to several branches: a record is finished when every branch finished it.

Without this, a sampler in one branch would let the source commit records that another branch has
not delivered yet, and a crash would lose them there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bridge.core import Batch, Custody


class BranchCustody:
    """
    One branch's view of the custody of one batch.

    Views of the same branch and the same partition assignment are equal, so that a stage may key
    its state by them as it would by the custody itself.
    """

    __slots__ = ("_branch", "_shared", "partition", "topic")

    def __init__(self, shared: "SharedCustody", branch: int) -> None:
        self.topic = shared.custody.topic
        self.partition = shared.custody.partition
        self._shared = shared
        self._branch = branch

    def finish(self, offsets: Iterable[int]) -> None:
        """Mark records as finished in this branch."""
        self._shared.finish(self._branch, offsets)

    def hold(self, body_bytes: int) -> None:
        """Say that this branch keeps *body_bytes* in a budget of its own."""
        self._shared.hold(self._branch, body_bytes)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BranchCustody)
            and self._branch == other._branch
            and self._shared.custody is other._shared.custody
        )

    def __hash__(self) -> int:
        return hash((id(self._shared.custody), self._branch))


class SharedCustody:
    """The custody of one batch that is with several branches at the same time."""

    def __init__(self, custody: Custody, batch: Batch, branches: int) -> None:
        self.custody = custody
        self._body_bytes = len(batch.body)
        # For each offset the branches that still have it; for each branch the bytes it charges to
        # itself, and how many of them the source was told.
        self._unfinished = {record.offset: set(range(branches)) for record in batch.origin.records}
        self._held = [0] * branches
        self._told = 0
        self._holding = False
        self._open = True

    def views(self, batch: Batch) -> Iterator[Batch]:
        """The batch once for each branch, with that branch's custody."""
        for branch in range(len(self._held)):
            view = BranchCustody(self, branch)
            yield replace(batch, origin=replace(batch.origin, custody=view))

    def finish(self, branch: int, offsets: Iterable[int]) -> None:
        """Finish *offsets* in *branch*, and at the source those that no branch has any more."""
        if not self._open:
            return
        done = []
        for offset in offsets:
            holders = self._unfinished.get(offset)
            if holders is None:
                continue
            holders.discard(branch)
            if not holders:
                del self._unfinished[offset]
                done.append(offset)
        if done:
            self.custody.finish(done)

    def hold(self, branch: int, body_bytes: int) -> None:
        """
        Charge *body_bytes* to *branch*.

        The source is told of what every branch has taken over or is done with: as long as one of
        them has the body in flight, it counts against the source's window.
        """
        self._holding = True
        self._charge(branch, body_bytes)

    def complete(self, branch: int) -> None:
        """*branch* has taken the whole batch, or will never take it."""
        self.finish(branch, list(self._unfinished))
        self._charge(branch, self._body_bytes)

    def close(self) -> None:
        """Ignore what comes later: the source has its answer, or will deliver again."""
        self._open = False

    def _charge(self, branch: int, body_bytes: int) -> None:
        self._held[branch] = min(self._held[branch] + body_bytes, self._body_bytes)
        # Where nobody keeps records for long, the return of `deliver` frees the window.
        everywhere = min(self._held)
        if self._open and self._holding and everywhere > self._told:
            more, self._told = everywhere - self._told, everywhere
            self.custody.hold(more)
