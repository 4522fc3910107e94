"""
One assigned partition: what is read ahead, in what batches it is delivered, when reading pauses.

Pure: the lane decides, its owner fetches, delivers, pauses and commits. Lanes share nothing, so a
slow or failing partition never holds up another.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat

from bridge.core import ACCEPTED, NOTHING_DROPPED, Receipt
from bridge.flow.chunks import Chunk, LaneLimits, ReadRecord, may_share, offsets_of
from bridge.flow.ledger import Account, Column
from bridge.flow.watermark import Run, Watermark


def _nothing_changed(lane: "Lane") -> None:
    """Nobody listens."""


def _never(lane: "Lane") -> bool:
    return False


@dataclass(eq=False)
class Lane:
    """
    The window, the order and the book of one assignment of one partition.

    It is the `bridge.core.Custody` of the batches made from it: one object for each assignment.
    After `close` nothing changes any more: a late result never commits for the new owner.

    Args:
        epoch:
            Grows with every assignment of this process.
        changed:
            Called after anything that may let the owner read, start, or commit more.
        at_end:
            Says whether the lane has all that its log held within the last second.
    """

    topic: str
    partition: int
    epoch: int
    limits: LaneLimits
    changed: Callable[["Lane"], None] = _nothing_changed
    at_end: Callable[["Lane"], bool] = _never
    # What changes from here on. `paused` and `last_commit` (offset, metadata) are what the owner
    # did last; `stuck` are records that may neither be delivered nor dropped, with the reason.
    # `account` is where its items are counted, from its opening on.
    book: Watermark = field(default_factory=lambda: Watermark(0))
    opened: bool = False
    draining: bool = False
    frozen: bool = False
    closed: bool = False
    paused: bool = True
    last_commit: tuple[int, str] | None = None
    stuck: dict[int, str] = field(default_factory=dict)
    account: Account | None = None
    skipped: int = 0
    context_records: int = 0
    newest_ms: int = 0
    _queue: deque[Chunk] = field(default_factory=deque)
    _started: dict[Chunk, None] = field(default_factory=dict)
    _active: dict[Chunk, None] = field(default_factory=dict)
    # Where unfinished records begin, what was seen of the log, and whether finished ones count.
    _start: int = 0
    _seen_next: int = 0
    _with_context: bool = False
    _window_bytes: int = 0
    _open_items: dict[int, int] = field(default_factory=dict)
    _stuck_ms: dict[int, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"Lane({self.topic}/{self.partition}, epoch={self.epoch}, "
            f"{len(self._started)} started, {len(self._queue)} queued, {self._window_bytes} bytes)"
        )

    @property
    def window_bytes(self) -> int:
        """Bytes that count against the window."""
        return self._window_bytes

    def items_in_flight(self) -> int:
        """Items of the records that were read and for which nothing was counted yet."""
        return sum(self._open_items.values())

    @property
    def started(self) -> Sequence[Chunk]:
        """The batches in delivery, oldest first."""
        return tuple(self._started)

    @property
    def oldest_ms(self) -> int | None:
        """Timestamp of the oldest record that was read and waits, is in delivery, or holds us."""
        chunk = next(iter(self._started), None) or (self._queue[0] if self._queue else None)
        stamps = list(self._stuck_ms.values())
        if chunk is not None:
            stamps.append(chunk.first_ms)
        return min(stamps, default=None)

    @property
    def assignment(self) -> object:
        """The lane itself: there is one for each assignment."""
        return self

    def caught_up(self) -> bool:
        """Whether everything that the log held within the last second was handed out."""
        idle = self.opened and not (self.paused or self.draining or self._queue)
        return idle and self.at_end(self)

    @property
    def position(self) -> int:
        """The offset from which reading has to go on."""
        return self._seen_next if self._seen_next < self._start else self.book.read_next

    def open(
        self, start: int, islands: Iterable[Run] = (), context_start: int | None = None
    ) -> None:
        """
        Begin with *start*, leaving out what an earlier owner finished.

        Args:
            context_start:
                At most *start*: where reading begins, if what was finished is to be looked at.
        """
        self.book = Watermark(start, islands)
        self._start = start
        self._seen_next = start if context_start is None else context_start
        self._with_context = context_start is not None
        self.opened = True

    def admit(self, entries: Iterable[ReadRecord]) -> None:
        """Take records that were read, in their order; join those that may share a batch."""
        found = list(entries)
        if found and self.opened and not self.closed and not self._admit_run(found):
            self._admit_each(found)

    def _admit_run(self, entries: Sequence[ReadRecord]) -> bool:
        """
        Take records at once that follow each other without a gap and have all in common.

        Returns:
            Whether they were such; nothing has changed if not. It is what topics are full of.
        """
        first, metadata = entries[0], entries[0].metadata
        offsets = [entry.offset for entry in entries]
        stop = first.offset + len(entries)
        ends = list(accumulate([entry.size for entry in entries]))
        if (
            offsets[-1] + 1 != stop
            or offsets != list(range(first.offset, stop))
            or [entry for entry in entries if entry.fault is not None]
            or [entry for entry in entries if entry.metadata is not metadata]
            or not self.book.read_run(offsets)
        ):
            return False
        self.newest_ms = max(self.newest_ms, max([entry.timestamp_ms for entry in entries]))
        self._seen_next = max(self._seen_next, stop)
        items = [entry.items for entry in entries]
        self._open_items.update(zip(offsets, items, strict=True))
        if self.account is not None:
            self.account.count(Column.CONSUMED, sum(items))
        at, before = 0, 0
        while at < len(entries):
            # As many as fit; a record that is larger by itself goes alone.
            end = max(at + 1, bisect_right(ends, before + self.limits.batch_bytes_max, at))
            self._enqueue(entries[at:end], ends[end - 1] - before)
            at, before = end, ends[end - 1]
        return True

    def _admit_each(self, entries: Iterable[ReadRecord]) -> None:
        part: list[ReadRecord] = []
        size = 0
        for entry in entries:
            self.newest_ms = max(self.newest_ms, entry.timestamp_ms)
            seen = entry.offset < self._seen_next
            self._seen_next = max(self._seen_next, entry.offset + 1)
            if not self.book.read(entry.offset):
                self.skipped += entry.offset >= self._start
                if seen or not self._with_context or entry.fault is not None:
                    continue
                entry.context = True
                self.context_records += 1
            else:
                self._open_items[entry.offset] = weight = entry.weight
                if self.account is not None:
                    self.account.count(Column.CONSUMED, weight)
            grown = size + entry.size
            if part and not (may_share(part[-1], entry) and grown <= self.limits.batch_bytes_max):
                self._enqueue(part, size)
                part, grown = [], entry.size
            part.append(entry)
            size = grown
        if part:
            self._enqueue(part, size)

    def start_next(self) -> Chunk | None:
        """The next batch to deliver, if one may start now."""
        if not self._queue or self.draining or self.closed or self.stuck:
            return None
        if len(self._active) >= self.limits.batches_max:
            return None
        chunk = self._queue[0]
        # Context keeps its place among the others: what comes after it is judged with it.
        if self._active and (chunk.context or next(iter(self._active)).context):
            return None
        self._queue.popleft()
        self._started[chunk] = self._active[chunk] = None
        return chunk

    def end(self, chunk: Chunk) -> None:
        """Nothing is done with *chunk* any more, whether it was finished or not."""
        if chunk not in self._started:
            return
        del self._started[chunk]
        self._active.pop(chunk, None)
        self._window_bytes -= chunk.size - chunk.held_bytes
        self.changed(self)

    def finish(self, offsets: Iterable[int], dropped: Mapping[int, int] = NOTHING_DROPPED) -> None:
        """Mark records as finished; ignored after `close`, harmless twice."""
        done = offsets if isinstance(offsets, Collection) else tuple(offsets)
        had = map(self._open_items.get, dropped, repeat(0))
        lost = sum(map(min, dropped.values(), had)) if dropped else 0
        self.settle(done, Receipt(dropped_items=lost) if lost else None)

    def settle(self, offsets: Collection[int], receipt: Receipt | None = None) -> None:
        """The same with what their delivery was answered; no answer means: all delivered."""
        if self.closed:
            return
        items = self._take_out(offsets)
        if self.account is not None:
            self.account.settle(items, receipt or ACCEPTED)
        self.book.finish(offsets)
        self.changed(self)

    def set_aside(self, offsets: Collection[int], column: Column) -> None:
        """The same for records that nobody took."""
        if self.closed:
            return
        items = self._take_out(offsets)
        if self.account is not None:
            self.account.count(column, items)
        self.book.finish(offsets)
        self.changed(self)

    def mark(self, offsets: Iterable[int]) -> None:
        """Let records count as done at the source although what becomes of them is not known."""
        if not self.closed:
            self.book.finish(offsets)
            self.changed(self)

    def hold(self, offsets: Iterable[int]) -> None:
        """
        Take records out of the window: some stage keeps them in a budget of its own.

        A batch of which every record is held, or finished, makes room for another one.
        """
        wanted = set(offsets)
        for chunk in list(self._active):
            own = chunk.offsets()
            if own.isdisjoint(wanted):
                continue
            if not chunk.held and own <= wanted:
                self._window_bytes -= chunk.size
                chunk.hold_all()
            for entry in chunk.entries if not chunk.is_held else ():
                kept = entry.offset in wanted or not self.book.is_unfinished(entry.offset)
                if kept and entry.offset not in chunk.held:
                    chunk.held.add(entry.offset)
                    chunk.held_bytes += entry.size
                    self._window_bytes -= entry.size
            if chunk.held == own:
                chunk.hold_all()
            if chunk.is_held:
                del self._active[chunk]
        self.changed(self)

    def get_stuck(self, offset: int, reason: str) -> None:
        """Stop at a record that may neither be delivered nor dropped."""
        self.stuck[offset] = reason
        chunks = [chunk for chunk in self._started if offset in chunk.offsets()]
        entries = (entry for chunk in chunks for entry in chunk.entries)
        self._stuck_ms |= {e.offset: e.timestamp_ms for e in entries if e.offset == offset}
        self.changed(self)

    def release(self, offset: int) -> None:
        """Go on: the record at *offset* holds the lane no more."""
        self._stuck_ms.pop(offset, None)
        if self.stuck.pop(offset, None) is not None:
            self.changed(self)

    def drain(self) -> None:
        """Start nothing any more, unless the lane is frozen already: then keep what waits."""
        self.draining = True
        if not self.frozen:
            self._queue.clear()

    def freeze(self) -> None:
        """Start nothing for now: the assignment may come back as it is. Results still count."""
        self.draining = self.frozen = True

    def put_back(self, chunk: Chunk) -> None:
        """Let what is unfinished of *chunk*, which ended while the lane was frozen, wait again."""
        left = chunk.entries
        if not chunk.context and not self.book.all_unfinished(offsets_of(left)):
            left = tuple(entry for entry in left if self.book.is_unfinished(entry.offset))
        if left and not chunk.shown:
            again = Chunk(left, sum(entry.size for entry in left))
            later = [other for other in self._queue if other.first > again.first]
            earlier = [other for other in self._queue if other.first < again.first]
            self._queue = deque([*earlier, again, *later])
            self._window_bytes += again.size

    def thaw(self, epoch: int) -> None:
        """The assignment came back, as number *epoch*."""
        self.draining = self.frozen = False
        self.epoch = epoch

    def close(self) -> None:
        """The assignment ended."""
        self._give_back()
        self.draining = self.closed = True
        self._queue.clear()
        self.stuck.clear()
        self._stuck_ms.clear()

    def should_pause(self) -> bool:
        """
        Whether reading has to stop now, or has to stay stopped.

        Half of the window must be free again before reading goes on, or the client would throw
        away what it had fetched at each turn.
        """
        if self.draining or self.stuck or not self.opened:
            return True
        limits, active = self.limits, len(self._active)
        if self.paused:
            return (
                bool(self._queue)
                or self._window_bytes * 2 > limits.window_bytes_max
                or active * 2 > limits.batches_max
            )
        return bool(self._queue) or self._window_bytes >= limits.window_bytes_max

    def _take_out(self, offsets: Iterable[int]) -> int:
        """The items of *offsets* that were in flight until now."""
        return sum(map(self._open_items.pop, offsets, repeat(0)))

    def _give_back(self) -> None:
        """Count what comes again, or never, since it was marked before; some of it twice."""
        if self.account is not None:
            open_items, is_unfinished = self._open_items, self.book.is_unfinished
            returned = sum(count for at, count in open_items.items() if is_unfinished(at))
            self.account.count(Column.RETURNED, returned)
            self.account.count(Column.DROPPED, self.items_in_flight() - returned)
            busy = [chunk for chunk in self._started if chunk.busy and not chunk.is_held]
            twice = sum(open_items.get(offset, 0) for c in busy for offset in offsets_of(c.entries))
            self.account.count(Column.DUPLICATES, twice)
        self._open_items.clear()

    def _enqueue(self, part: Sequence[ReadRecord], size: int) -> None:
        self._queue.append(Chunk(tuple(part), size))
        self._window_bytes += size
