"""Shared custody by itself: what the source is told, and when."""

from collections.abc import Iterable
from dataclasses import replace

from bridge.core import Batch, Origin, Record, Signal
from bridge.flow.branch_custody import SharedCustody
from bridge.testing import FakeCustody


def shared(
    book: FakeCustody, branches: int, offsets: Iterable[int] = (1, 2, 3)
) -> tuple[SharedCustody, Batch]:
    records = tuple(Record(offset, 0, 0, 0) for offset in offsets)
    batch = Batch(Signal.TRACES, b"x", 3, Origin("kafka", None, book, records))
    return SharedCustody(book, batch, branches), batch


def test_offset_is_finished_once_by_the_last_branch() -> None:
    """Finishing twice in one branch does not stand for another one."""
    book = FakeCustody()
    custody, _ = shared(book, 2)
    custody.finish(0, [1, 1])
    custody.finish(0, [1])
    assert book.finished == []
    custody.finish(1, [1])
    custody.finish(1, [1])

    assert book.finished == [1]


def test_unknown_offsets_are_ignored() -> None:
    """An offset of another batch is none of this one's business."""
    book = FakeCustody()
    custody, _ = shared(book, 1)
    custody.finish(0, [99, 2])
    custody.hold(0, [98])

    assert (book.finished, book.held) == ([2], [2])


def test_completed_branch_has_finished_everything() -> None:
    """A branch that took the batch as a whole need not name its records."""
    book = FakeCustody()
    custody, _ = shared(book, 2)
    custody.finish(0, [1, 2])
    custody.complete(1)

    assert book.finished == [1, 2]


def test_record_is_held_once_no_branch_has_it_in_flight() -> None:
    """Records leave the source's window only when every branch keeps or has finished them."""
    book = FakeCustody()
    custody, _ = shared(book, 2)
    custody.hold(0, [1, 2])
    custody.hold(1, [2, 3])
    assert book.held == [2]
    custody.hold(1, [1])
    assert book.held == [2, 1]
    custody.complete(0)

    assert sorted(book.held) == [1, 2, 3]


def test_nothing_is_held_when_nobody_holds() -> None:
    """Plain branches leave the window to the return of deliver."""
    book = FakeCustody()
    custody, _ = shared(book, 2)
    custody.complete(0)
    custody.complete(1)

    assert book.held == []


def test_hold_after_the_others_completed_is_told() -> None:
    """A branch that holds later than the others ended is believed."""
    book = FakeCustody()
    custody, _ = shared(book, 2)
    custody.complete(0)
    custody.hold(1, [1, 2, 3])

    assert book.held == [1, 2, 3]


def test_closed_custody_is_silent() -> None:
    """Late results of a delivery that ended reach nobody."""
    book = FakeCustody()
    custody, _ = shared(book, 1)
    custody.close()
    custody.finish(0, [1])
    custody.hold(0, [1])

    assert (book.finished, book.held) == ([], [])


def test_views_carry_the_batch_and_answer_as_the_source_does() -> None:
    """Every view is the same batch with a custody of its own, which hides nothing of the source."""
    book = FakeCustody("other", 7, epoch=5)
    custody, batch = shared(book, 2)
    first, second = custody.views(batch)

    assert first.body is second.body is batch.body
    assert first.origin.custody is not second.origin.custody
    assert replace(first, origin=batch.origin) == batch
    for view in (first, second):
        told = view.origin.custody
        assert told is not None
        assert (told.topic, told.partition, told.epoch) == ("other", 7, 5)
        assert told.assignment is book.assignment
        assert (told.closed, told.caught_up()) == (False, False)
        book.closed = book.at_end = True
        assert (told.closed, told.caught_up()) == (True, True)
        book.closed = book.at_end = False
