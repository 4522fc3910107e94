"""
Which offsets of one partition are unfinished, and what may be committed. Pure.

Work finishes out of order. What is committed is the lowest unfinished offset, never more: whoever
reads on from there after a crash misses nothing. What is finished beyond it are the islands, which
a restart may skip (`bridge/flow/islands.py`).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

Run = tuple[int, int]
"""Offsets that are finished: the first, and the one after the last."""

_SLACK = 1024  # Entries that may linger before the book is rebuilt; some 60 KiB.


class Watermark:
    """
    The book of one assignment of one partition. Memory grows with what is unfinished only.

    Offsets are read in ascending order. Offsets that never come (compacted away, or control
    records) count as finished once a later one was read or `advance` was called.

    Args:
        start:
            The offset from which is read: the committed one.
        islands:
            Finished runs beyond *start* that an earlier owner left; ascending, apart from each
            other and from *start*.
    """

    def __init__(self, start: int, islands: Iterable[Run] = ()) -> None:
        # What changes: the next offset to be read, what is unfinished in the order it was read (a
        # dict, since a set has no order and takes twice the room), how many were entered there
        # since it was rebuilt, and the islands that were not read up to yet.
        self._read_next = start
        self._unfinished: dict[int, None] = {}
        self._entered = 0
        self._islands: deque[Run] = deque(islands)

    def __repr__(self) -> str:
        return f"Watermark(committed={self.committed}, unfinished={len(self._unfinished)})"

    @property
    def read_next(self) -> int:
        """The offset after the last one read."""
        return self._read_next

    @property
    def unfinished(self) -> int:
        """How many records were read and are not finished."""
        return len(self._unfinished)

    @property
    def committed(self) -> int:
        """The lowest offset that is not finished: what to commit."""
        for lowest in self._unfinished:
            return lowest
        if self._islands and self._islands[0][0] <= self._read_next:
            return max(self._read_next, self._islands[0][1])
        return self._read_next

    def read(self, offset: int) -> bool:
        """
        Enter a record as read.

        Returns:
            Whether it is to be delivered; `False` if it was finished by an earlier owner, or was
            read before.
        """
        if offset < self._read_next:
            return False
        self._read_next = offset + 1
        while self._islands and self._islands[0][1] <= offset:
            self._islands.popleft()
        if self._islands and self._islands[0][0] <= offset:
            return False
        self._unfinished[offset] = None
        self._entered += 1
        return True

    def read_run(self, offsets: Sequence[int]) -> bool:
        """
        Enter consecutive *offsets* as read, all of them or none.

        Args:
            offsets:
                One after the other without a gap, at least one. The numbers are kept: whoever
                keeps them too shares them.

        Returns:
            `False` if some of them may be finished or read already: then ask for each.
        """
        first, stop = offsets[0], offsets[-1] + 1
        if first < self._read_next:
            return False
        if any(begin < stop and first < end for begin, end in self._islands):
            return False
        while self._islands and self._islands[0][1] <= first:
            self._islands.popleft()
        self._read_next = stop
        self._unfinished.update(dict.fromkeys(offsets))
        self._entered += stop - first
        return True

    def advance(self, position: int) -> None:
        """Take everything before *position* as read: there was nothing more to be found."""
        self._read_next = max(self._read_next, position)

    def finish(self, offsets: Iterable[int]) -> int:
        """
        Mark records as finished. What is not unfinished is ignored.

        Returns:
            How many were unfinished until now.
        """
        unfinished = self._unfinished
        before, take_out = len(unfinished), unfinished.pop
        for offset in offsets:
            take_out(offset, None)
        # What was taken out leaves a hole: holes are kept few, for memory and for `committed`.
        if self._entered > 2 * len(unfinished) + _SLACK:
            self._unfinished = dict.fromkeys(unfinished)
            self._entered = len(unfinished)
        return before - len(unfinished)

    def all_unfinished(self, offsets: Iterable[int]) -> bool:
        """Whether each of *offsets* was read and none is finished."""
        return all(map(self._unfinished.__contains__, offsets))

    def is_unfinished(self, offset: int) -> bool:
        """Whether *offset* was read and is not finished."""
        return offset in self._unfinished

    def islands(self) -> Iterator[Run]:
        """
        The finished runs beyond `committed`, ascending and apart from each other.

        What an earlier owner finished and nobody read again since is among them, or a second
        crash would deliver it twice.
        """
        start: int | None = None
        for run in self._runs(self.committed):
            if start is None:
                start, stop = run
            elif run[0] <= stop:
                stop = max(stop, run[1])
            else:
                yield start, stop
                start, stop = run
        if start is not None:
            yield start, stop

    def _runs(self, committed: int) -> Iterator[Run]:
        start = None
        for offset in self._unfinished:
            if start is not None and offset > start:
                yield start, offset
            start = offset + 1
        if start is not None and start < self._read_next:
            yield start, self._read_next
        for run in self._islands:
            # What lies below the reading position was given as read above.
            begin = max(run[0], self._read_next)
            if begin < run[1] and begin > committed:
                yield begin, run[1]
