"""What one partition reads ahead, in which batches, and when it pauses."""

from collections.abc import Iterable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import Malformed
from bridge.flow import Lane, LaneLimits, ReadRecord

LIMITS = LaneLimits(window_bytes_max=100, batches_max=2, batch_bytes_max=30)


def _lane(limits: LaneLimits = LIMITS, start: int = 0) -> Lane:
    lane = Lane("spans", 3, 1, limits)
    lane.open(start)
    lane.paused = False
    return lane


def _records(
    offsets: Iterable[int], size: int = 10, tenant: str = "a", fault: Malformed | None = None
) -> list[ReadRecord]:
    record = SimpleNamespace(value=b"x" * size)
    return [
        ReadRecord(offset, 1000 + offset, b"x" * size, 1, {"tenant": (tenant,)}, record, fault)  # type: ignore[arg-type]  # The lane looks at the value only.
        for offset in offsets
    ]


def _starts(lane: Lane) -> list[list[int]]:
    chunks = iter(lane.start_next, None)
    return [[entry.offset for entry in chunk.entries] for chunk in chunks]


def test_lane_joins_up_to_the_batch_size() -> None:
    """Neighbours share a batch as long as its bytes allow."""
    lane = _lane()

    lane.admit(_records(range(5)))

    assert _starts(lane) == [[0, 1, 2], [3, 4]]


def test_lane_large_record_goes_alone() -> None:
    """A record above the batch size is a batch of its own."""
    lane = _lane()

    lane.admit([*_records([0]), *_records([1], size=50)])

    assert _starts(lane) == [[0], [1]]


def test_lane_joins_equal_metadata_only() -> None:
    """Records with other headers begin another batch."""
    lane = _lane()

    lane.admit([*_records([0, 1]), *_records([2], tenant="b")])

    assert _starts(lane) == [[0, 1], [2]]


def test_lane_faulty_record_goes_alone() -> None:
    """An undecodable record shares a batch with nobody."""
    lane = _lane(LaneLimits(100, 5, 30))

    lane.admit([*_records([0]), *_records([1], fault=Malformed("no")), *_records([2])])

    assert _starts(lane) == [[0], [1], [2]]


def test_lane_starts_as_many_batches_as_allowed() -> None:
    """The third batch waits until one of two ended."""
    lane = _lane()
    lane.admit(_records(range(9)))

    assert _starts(lane) == [[0, 1, 2], [3, 4, 5]]

    lane.end(lane.started[0])

    assert _starts(lane) == [[6, 7, 8]]


def test_lane_pauses_when_full_and_resumes_at_half() -> None:
    """A full window pauses; reading goes on only when half of it is free."""
    lane = _lane(LaneLimits(100, 20, 10))
    lane.admit(_records(range(10)))
    _starts(lane)

    assert lane.should_pause()

    lane.paused = True
    for chunk in lane.started[:4]:
        lane.end(chunk)

    assert lane.should_pause()

    for chunk in lane.started[:6]:
        lane.end(chunk)

    assert not lane.should_pause()


def test_lane_with_waiting_batches_pauses() -> None:
    """Nothing is read while batches wait for their turn."""
    lane = _lane()
    lane.admit(_records(range(9)))
    _starts(lane)

    assert lane.should_pause()


def test_lane_held_records_leave_the_window() -> None:
    """A batch that a stage keeps in its own budget takes no bytes and no place."""
    lane = _lane()
    lane.admit(_records(range(9)))
    _starts(lane)

    lane.hold([0, 1, 2, 3, 4, 5])
    lane.hold([4])

    assert lane.window_bytes == 30
    assert [chunk.is_held for chunk in lane.started] == [True, True]
    assert _starts(lane) == [[6, 7, 8]]
    assert lane.book.committed == 0

    for chunk in lane.started:
        lane.end(chunk)

    assert lane.window_bytes == 0


def test_lane_partly_held_batch_keeps_its_place() -> None:
    """Bytes leave the window at once, the place only with the last record."""
    lane = _lane()
    lane.admit(_records(range(9)))
    _starts(lane)

    lane.hold([0, 1])

    assert lane.window_bytes == 70
    assert _starts(lane) == []


def test_lane_batch_is_held_when_the_rest_of_it_is_finished() -> None:
    """A stage that was given only what is unfinished of a batch cannot hold more than that."""
    lane = _lane()
    lane.admit(_records(range(9)))
    _starts(lane)
    lane.finish([0])

    lane.hold([1, 2])

    assert _starts(lane) == [[6, 7, 8]]


def test_lane_stuck_starts_nothing_until_released() -> None:
    """A record that holds the lane stops it; releasing goes on."""
    lane = _lane()
    lane.admit(_records(range(9)))
    first = lane.start_next()
    assert first is not None
    lane.get_stuck(0, "too odd")
    lane.end(first)

    assert lane.start_next() is None
    assert lane.should_pause()
    assert lane.oldest_ms == 1000

    lane.release(0)

    assert lane.oldest_ms == 1003
    assert _starts(lane) == [[3, 4, 5], [6, 7, 8]]


def test_lane_closed_ignores_results() -> None:
    """A late result of an assignment that ended changes nothing."""
    lane = _lane()
    lane.admit(_records([0]))
    lane.close()

    lane.finish([0])
    lane.admit(_records([1]))

    assert lane.book.committed == 0
    assert lane.start_next() is None


def test_lane_draining_starts_nothing() -> None:
    """A lane that gives up its partition forgets what it had not started."""
    lane = _lane()
    lane.admit(_records(range(3)))
    lane.drain()

    assert lane.start_next() is None
    assert lane.should_pause()


def test_lane_not_opened_takes_nothing() -> None:
    """Records that come before it is known where to begin are left to the seek."""
    lane = Lane("spans", 0, 1, LIMITS)

    lane.admit(_records([0]))

    assert lane.start_next() is None
    assert lane.should_pause()


def test_lane_counts_records_that_islands_skip() -> None:
    """Records that an earlier owner finished are not delivered."""
    lane = Lane("spans", 0, 1, LIMITS)
    lane.open(0, [(1, 3)])

    lane.admit(_records(range(4)))

    assert _starts(lane) == [[0, 3]]
    assert lane.skipped == 2


def test_lane_oldest_is_the_first_unfinished_batch() -> None:
    """The age of a lane is that of what was read first and not ended."""
    lane = _lane()

    assert lane.oldest_ms is None

    lane.admit(_records(range(3, 9)))
    first = lane.start_next()
    assert first is not None

    assert lane.oldest_ms == 1003

    lane.end(first)

    assert lane.oldest_ms == 1006


def test_lane_is_caught_up_only_while_it_reads() -> None:
    """At the log's end a lane is caught up, unless it is paused or has something waiting."""
    lane = Lane("spans", 0, 1, LIMITS, at_end=lambda lane: True)
    lane.open(0)

    assert not lane.caught_up()

    lane.paused = False

    assert lane.caught_up()

    lane.admit(_records([0]))

    assert not lane.caught_up()


def test_lane_tells_of_every_change() -> None:
    """Whoever reads and starts is told when more may be possible."""
    told: list[Lane] = []
    lane = Lane("spans", 0, 1, LIMITS, told.append)
    lane.open(0)
    lane.admit(_records([0]))
    chunk = lane.start_next()
    assert chunk is not None

    lane.hold([0])
    lane.finish([0])
    lane.end(chunk)
    lane.end(chunk)

    assert told == [lane, lane, lane]
    assert repr(lane) == "Lane(spans/0, epoch=1, 0 started, 0 queued, 0 bytes)"


def test_lane_reads_what_was_finished_as_context() -> None:
    """Records before the first unfinished one, and islands, come in their place as context."""
    lane = Lane("spans", 3, 1, LIMITS)
    lane.open(3, [(5, 6)], context_start=1)
    lane.paused = False
    assert lane.position == 1
    lane.admit(_records(range(1, 7)))
    chunks = []
    while (chunk := lane.start_next()) is not None:
        chunks.append(([entry.offset for entry in chunk.entries], chunk.context))
        lane.end(chunk)

    assert chunks == [([1, 2], True), ([3, 4], False), ([5], True), ([6], False)]
    assert (lane.context_records, lane.skipped, lane.position) == (3, 1, 7)
    assert lane.book.committed == 3


def test_lane_context_goes_alone() -> None:
    """Nothing starts while context is looked at, and context waits for what was started before."""
    lane = Lane("spans", 3, 1, LIMITS)
    lane.open(1, [(2, 3)], context_start=0)
    lane.admit(_records(range(4)))
    first = lane.start_next()
    assert first is not None
    assert lane.start_next() is None
    lane.end(first)
    second = lane.start_next()
    assert second is not None
    assert (second.context, lane.start_next()) == (False, None)
    lane.hold([1])

    third = lane.start_next()
    assert third is not None
    assert third.context


def test_lane_rewound_in_the_middle_of_context_goes_on_there() -> None:
    """Context that was read once is not read twice, and what was not is not left out."""
    lane = Lane("spans", 3, 1, LIMITS)
    lane.open(5, context_start=1)
    lane.admit(_records([1, 2]))
    assert lane.position == 3
    lane.book.advance(4)
    assert lane.position == 3
    lane.admit(_records([2, 3, 4, 5]))

    assert (lane.context_records, lane.position) == (4, 6)


def test_lane_context_that_cannot_be_read_is_left_out() -> None:
    """Its owner has set it aside."""
    lane = Lane("spans", 3, 1, LIMITS)
    lane.open(1, context_start=0)
    lane.admit(_records([0], fault=Malformed("broken")))

    assert (lane.start_next(), lane.context_records) == (None, 0)


def test_lane_frozen_keeps_what_waits_and_what_is_held() -> None:
    """Nothing starts, results count, and what ended undelivered waits again in its place."""
    lane = _lane()
    lane.admit(_records(range(12)))
    held, broken = lane.start_next(), lane.start_next()
    assert held is not None
    assert broken is not None
    lane.hold([0, 1, 2])
    lane.freeze()
    lane.drain()
    lane.finish([0, 4])
    lane.end(broken)
    lane.put_back(broken)

    assert lane.start_next() is None
    assert lane.should_pause()
    assert not lane.caught_up()
    assert lane.book.committed == 1

    lane.thaw(9)

    assert _starts(lane) == [[3, 5], [6, 7, 8]]
    assert (lane.epoch, lane.window_bytes) == (9, 80)
    assert held in lane.started


def test_lane_puts_nothing_back_that_is_done() -> None:
    """What was finished, or looked at, does not come again."""
    lane = Lane("spans", 3, 1, LIMITS)
    lane.open(1, context_start=0)
    lane.admit(_records(range(2)))
    context = lane.start_next()
    assert context is not None
    lane.freeze()
    context.shown = True
    lane.end(context)
    lane.put_back(context)
    lane.thaw(2)
    (own,) = iter(lane.start_next, None)
    lane.freeze()
    lane.finish([1])
    lane.end(own)
    lane.put_back(own)
    lane.thaw(3)

    assert lane.start_next() is None
    assert lane.window_bytes == 0


METADATA = {"tenant": ("a",)}, {"tenant": ("b",)}
RECORDS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 40), st.sampled_from((0, 0, 0, 1)), st.booleans()),
    min_size=1,
    max_size=12,
)


@given(
    made=RECORDS,
    plain=st.booleans(),
    start=st.integers(0, 3),
    islands=st.sampled_from(((), ((4, 6),), ((20, 30),))),
    context=st.none() | st.integers(0, 2),
)
def test_lane_takes_runs_as_it_takes_each(
    made: list[tuple[int, int, int, bool]],
    plain: bool,
    start: int,
    islands: tuple[tuple[int, int], ...],
    context: int | None,
) -> None:
    """The short way for records that have all in common ends where the long way does."""
    lanes = []
    for long_way in (False, True):
        entries, at = [], 0
        for gap, size, tenant, broken in made:
            at += 0 if plain else gap
            record = SimpleNamespace(value=b"x" * size)
            fault = Malformed("") if broken and not plain else None
            body = b"" if fault else b"x" * size
            which = METADATA[0 if plain else tenant]
            entries.append(ReadRecord(at, 1000 - at, body, size, which, record, fault))  # type: ignore[arg-type]  # The lane looks at the value only.
            at += 1
        lane = Lane("spans", 3, 1, LaneLimits(1000, 50, 30))
        lane.open(start, islands, None if context is None else min(context, start))
        for part in (entries[:7], entries[7:]):
            if long_way:
                lane._admit_each(part)
            else:
                lane.admit(part)
        lanes.append(lane)
    short, long = lanes

    assert short.window_bytes == long.window_bytes
    assert (short.newest_ms, short.skipped) == (long.newest_ms, long.skipped)
    assert (short.position, short.book.read_next) == (long.position, long.book.read_next)
    assert (short.items_in_flight(), short._open_items) == (
        long.items_in_flight(),
        long._open_items,
    )
    assert [c.size for c in short._queue] == [c.size for c in long._queue]
    assert _starts(short) == _starts(long)


def test_lane_takes_a_plain_run_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What topics are full of, cut where a batch is full."""
    monkeypatch.delattr(Lane, "_admit_each")
    lane = _lane()
    record = SimpleNamespace(value=b"")
    lane.admit(
        ReadRecord(at, 1, b"x" * 10, 1, METADATA[0], record)  # type: ignore[arg-type]
        for at in range(5)
    )

    assert _starts(lane) == [[0, 1, 2], [3, 4]]
    assert lane.items_in_flight() == 5
