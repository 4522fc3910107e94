"""Shared custody by itself: what the source is told, and when."""

from dataclasses import replace

from bridge.core import Batch, Origin, Record, Signal
from bridge.flow.branch_custody import SharedCustody


class Book:
    """A custody that remembers."""

    topic, partition = "spans", 0

    def __init__(self) -> None:
        self.finished: list[int] = []
        self.held = 0

    def finish(self, offsets) -> None:
        self.finished.extend(offsets)

    def hold(self, body_bytes: int) -> None:
        self.held += body_bytes


def shared(book, branches: int, offsets=(1, 2, 3), size: int = 10) -> tuple[SharedCustody, Batch]:
    records = tuple(Record(offset, 0, 0, 0) for offset in offsets)
    batch = Batch(Signal.TRACES, b"x" * size, 3, Origin("kafka", None, book, records))
    return SharedCustody(book, batch, branches), batch


def test_offset_is_finished_once_by_the_last_branch() -> None:
    """Finishing twice in one branch does not stand for another one."""
    book = Book()
    custody, _ = shared(book, 2)
    custody.finish(0, [1, 1])
    custody.finish(0, [1])
    assert book.finished == []
    custody.finish(1, [1])
    custody.finish(1, [1])

    assert book.finished == [1]


def test_unknown_offsets_are_ignored() -> None:
    """An offset of another batch is none of this one's business."""
    book = Book()
    custody, _ = shared(book, 1)
    custody.finish(0, [99, 2])

    assert book.finished == [2]


def test_completed_branch_has_finished_everything() -> None:
    """A branch that took the batch as a whole need not name its records."""
    book = Book()
    custody, _ = shared(book, 2)
    custody.finish(0, [1, 2])
    custody.complete(1)

    assert book.finished == [1, 2]


def test_holding_is_told_up_to_the_slowest_branch() -> None:
    """Bytes leave the source's window only when every branch has them in its own budget."""
    book = Book()
    custody, _ = shared(book, 2)
    custody.hold(0, 6)
    custody.hold(1, 4)
    assert book.held == 4
    custody.hold(1, 100)
    assert book.held == 6
    custody.complete(0)

    assert book.held == 10


def test_nothing_is_held_when_nobody_holds() -> None:
    """Plain branches leave the window to the return of deliver."""
    book = Book()
    custody, _ = shared(book, 2)
    custody.complete(0)
    custody.complete(1)

    assert book.held == 0


def test_hold_after_the_others_completed_is_told() -> None:
    """A branch that holds later than the others ended is believed."""
    book = Book()
    custody, _ = shared(book, 2)
    custody.complete(0)
    custody.hold(1, 10)

    assert book.held == 10


def test_closed_custody_is_silent() -> None:
    """Late results of a delivery that ended reach nobody."""
    book = Book()
    custody, _ = shared(book, 1)
    custody.close()
    custody.finish(0, [1])
    custody.hold(0, 1)

    assert (book.finished, book.held) == ([], 0)


def test_views_carry_the_batch_and_their_branch() -> None:
    """Every view is the same batch with a custody of its own."""
    book = Book()
    custody, batch = shared(book, 2)
    first, second = custody.views(batch)

    assert first.body is second.body is batch.body
    assert first.origin.custody != second.origin.custody
    assert replace(first, origin=batch.origin) == batch
