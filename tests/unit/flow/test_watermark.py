"""Offsets that finish out of order: what may be committed, and what a restart may skip."""

import itertools
import sys

from hypothesis import given
from hypothesis import strategies as st

from bridge.flow.watermark import Run, Watermark


def _offsets(runs: tuple[Run, ...]) -> set[int]:
    return {offset for start, stop in runs for offset in range(start, stop)}


def test_watermark_without_records_commits_its_start() -> None:
    """A partition that was only assigned commits the offset it reads from."""
    assert Watermark(7).committed == 7


def test_watermark_out_of_order_finish_commits_lowest_unfinished() -> None:
    """A later record that finished first does not move the commit; the gap's end does."""
    watermark = Watermark(10)
    for offset in (10, 11, 12):
        watermark.read(offset)

    watermark.finish([11, 12])

    assert watermark.committed == 10
    assert list(watermark.islands()) == [(11, 13)]

    watermark.finish([10])

    assert watermark.committed == 13
    assert list(watermark.islands()) == []


def test_watermark_gap_in_offsets_counts_as_finished() -> None:
    """Offsets that compaction removed hold nothing up and join the islands around them."""
    watermark = Watermark(0)
    for offset in (0, 5, 9):
        watermark.read(offset)

    watermark.finish([5])

    assert list(watermark.islands()) == [(1, 9)]


def test_watermark_advance_finishes_what_never_came() -> None:
    """Control records at the end of a log do not leave a lag for ever."""
    watermark = Watermark(0)
    watermark.read(0)
    watermark.finish([0])

    watermark.advance(3)

    assert watermark.committed == 3


def test_watermark_record_in_island_is_not_delivered_again() -> None:
    """What an earlier owner finished is skipped, what lies between is delivered."""
    watermark = Watermark(10, [(12, 14), (20, 21)])

    assert [(offset, watermark.read(offset)) for offset in range(10, 16)] == [
        (10, True),
        (11, True),
        (12, False),
        (13, False),
        (14, True),
        (15, True),
    ]


def test_watermark_island_not_read_yet_is_kept_for_the_next_commit() -> None:
    """A second crash before the island was read again still skips it."""
    watermark = Watermark(10, [(12, 14), (20, 30)])
    watermark.read(10)

    assert list(watermark.islands()) == [(12, 14), (20, 30)]


def test_watermark_commit_passes_island_that_it_reaches() -> None:
    """When everything before an island is finished, the commit goes to the island's end."""
    watermark = Watermark(10, [(12, 14)])
    for offset in (10, 11):
        watermark.read(offset)
    watermark.finish([10, 11])

    assert watermark.committed == 14


def test_watermark_finish_twice_changes_nothing() -> None:
    """Finishing a record again, or one that was never read, is ignored."""
    watermark = Watermark(0)
    watermark.read(0)

    assert watermark.finish([0]) == 1
    assert watermark.finish([0, 5]) == 0
    assert watermark.unfinished == 0


def test_watermark_record_read_before_is_not_delivered() -> None:
    """Records that a seek brings again are known."""
    watermark = Watermark(0)
    watermark.read(4)

    assert not watermark.read(4)
    assert not watermark.read(2)


def test_watermark_memory_is_bounded_by_unfinished() -> None:
    """A stuck record at the front does not let the finished ones behind it pile up."""
    watermark = Watermark(0)
    for offset in range(20_000):
        watermark.read(offset)
        if offset:
            watermark.finish([offset])

    assert watermark.committed == 0
    assert sys.getsizeof(watermark._unfinished) < 150_000


def test_watermark_gives_memory_back_when_a_backlog_is_finished() -> None:
    """A partition that once had much unfinished and has little now takes little."""
    watermark = Watermark(0)
    watermark.read_run(range(100_000))
    full = sys.getsizeof(watermark._unfinished)
    watermark.finish(range(99_000))

    assert full / 20 > sys.getsizeof(watermark._unfinished)
    assert watermark.committed == 99_000
    assert watermark.all_unfinished(range(99_000, 100_000))


@given(
    start=st.integers(0, 50),
    steps=st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=60),
    data=st.data(),
)
def test_watermark_any_history_never_skips_an_unfinished_record(
    start: int, steps: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """
    At every moment commit and islands name no unfinished record and no unread one, and together
    they name every finished one; a successor built from them delivers exactly the rest.
    """
    watermark = Watermark(start)
    unfinished: set[int] = set()
    read: list[int] = []
    position = start - 1
    for step, finishes in steps:
        position += step
        watermark.read(position)
        unfinished.add(position)
        read.append(position)
        if finishes and unfinished:
            done = data.draw(st.sets(st.sampled_from(sorted(unfinished)), max_size=3))
            watermark.finish(done)
            unfinished -= done
        islands = tuple(watermark.islands())
        skipped = _offsets(islands)

        assert watermark.committed == min(unfinished, default=position + 1)
        assert not skipped & unfinished
        assert all(offset <= position for offset in skipped)
        assert {offset for offset in read if offset > watermark.committed} - unfinished <= skipped
        assert all(first[1] < second[0] for first, second in itertools.pairwise(islands))

    successor = Watermark(watermark.committed, watermark.islands())
    again = {offset for offset in read if offset >= watermark.committed and successor.read(offset)}

    assert again == unfinished


@given(
    start=st.integers(0, 5),
    islands=st.lists(st.integers(1, 4), max_size=6),
    runs=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 8)), max_size=6),
    done=st.sets(st.integers(0, 60)),
)
def test_watermark_run_read_at_once_is_as_one_by_one(
    start: int, islands: list[int], runs: list[tuple[int, int]], done: set[int]
) -> None:
    """Entered together or refused without a trace: the book ends the same."""
    found, at = [], start
    for gap, length in zip(islands[::2], islands[1::2], strict=False):
        found.append((at + gap, at + gap + length))
        at += gap + length
    together, apart = Watermark(start, found), Watermark(start, found)
    at = 0
    for gap, length in runs:
        first, stop = at + gap, at + gap + length
        at = stop
        before = (together.read_next, together.committed, list(together.islands()))
        new = [offset for offset in range(first, stop) if apart.read(offset)]
        if together.read_run(range(first, stop)):
            assert new == list(range(first, stop))
        else:
            assert (together.read_next, together.committed, list(together.islands())) == before
            assert [offset for offset in range(first, stop) if together.read(offset)] == new
        assert together.all_unfinished(new)
    for book in (together, apart):
        book.finish(done)

    assert together.committed == apart.committed
    assert list(together.islands()) == list(apart.islands())
    assert (together.read_next, together.unfinished) == (apart.read_next, apart.unfinished)
