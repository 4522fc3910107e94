"""Entries become batches: full, in order, and never too large."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from bridge.core import Deadline, Unavailable
from bridge.kafka import Entry, SharedEntry, Ticket
from bridge.kafka.packing import take_batch, to_records
from bridge.kafka.record_batch import BATCH_OVERHEAD_BYTES, build_batch
from bridge.testing import ManualClock

LIMIT = 2000


class Unshrinkable:
    """Nothing here is too large."""

    def shrink(self, entry: Entry, bytes_max: int) -> list[Entry]:
        raise AssertionError


def entry(
    one: Ticket, value: bytes, *, packable: bool = True, headers: tuple[tuple[str, bytes], ...] = ()
) -> Entry:
    """An entry of one item."""
    return Entry(one, None, value, headers, 1, packable, Unshrinkable(), value)


@given(
    entries=st.lists(
        st.tuples(
            st.integers(0, 1900), st.booleans(), st.sampled_from([(), (("tenant", b"north"),)])
        ),
        max_size=30,
    )
)
async def test_batches_hold_everything_once_and_fit(
    entries: list[tuple[int, bool, tuple[tuple[str, bytes], ...]]],
) -> None:
    """Taken batch by batch, all values come out, each batch within the limit."""
    one = Ticket(None, lambda _: None)
    waiting = deque(
        entry(one, bytes([number]) * size, packable=packable, headers=headers)
        for number, (size, packable, headers) in enumerate(entries)
    )
    total, seen = sum(size for size, _, _ in entries), 0
    while taken := take_batch(waiting, LIMIT):
        records = to_records(taken)
        batch, count = build_batch(records, LIMIT, None, 1_700_000_000_000)
        assert count == len(records)
        assert len(batch._build()) <= LIMIT
        seen += sum(len(record.value) for record in records)

    assert total == seen


async def test_packable_entries_share_a_record_by_headers() -> None:
    """Equal headers are packed together although others stand between them."""
    one = Ticket(None, lambda _: None)
    north = (("tenant", b"north"),)
    records = to_records(
        [entry(one, b"a"), entry(one, b"b", headers=north), entry(one, b"c"), entry(one, b"d")]
    )

    assert [record.value for record in records] == [b"acd", b"b"]
    assert [record.items for record in records] == [3, 1]


async def test_entries_nobody_waits_for_are_dropped() -> None:
    """Whoever sent them sends them again."""
    dead, live = Ticket(None, lambda _: None), Ticket(None, lambda _: None)
    dead.give_up()
    taken = take_batch(deque([entry(dead, b"x"), entry(live, b"y"), entry(dead, b"z")]), LIMIT)

    assert [one.value for one in taken] == [b"y"]


async def test_entry_above_the_limit_is_taken_alone() -> None:
    """What only fits when compressed does not share its batch."""
    one = Ticket(None, lambda _: None)
    waiting = deque([entry(one, bytes(LIMIT * 2), packable=False), entry(one, b"y")])

    assert len(take_batch(waiting, LIMIT)) == 1
    assert BATCH_OVERHEAD_BYTES < LIMIT


def shared(*parts: tuple[Ticket, bytes]) -> SharedEntry:
    """An entry of several requests, one item a byte."""
    shares, stop = [], 0
    for one, value in parts:
        stop += len(value)
        shares.append((one, len(value), stop))
    value = b"".join(value for _, value in parts)
    for one, _ in parts:
        one.opened()
    return SharedEntry(shares, value, (), len(value), Unshrinkable())


async def test_shared_entry_loses_the_shares_of_those_who_gave_up() -> None:
    """The rest is taken as it was, with its items; without anybody left it is dropped."""
    one, two, three = (Ticket(None, lambda _: None) for _ in range(3))
    entry = shared((one, b"a"), (two, b"bb"), (three, b"ccc"))
    assert entry.living() is entry
    two.give_up()
    (taken,) = take_batch(deque([entry]), LIMIT)
    assert (taken.value, taken.items) == (b"accc", 4)
    one.give_up()
    three.give_up()

    assert take_batch(deque([entry]), LIMIT) == []


async def test_shared_entry_is_halved_between_requests() -> None:
    """The halves hold the same shares; that of one request is left to the shrinker."""
    one, two, three = (Ticket(None, lambda _: None) for _ in range(3))
    halves = shared((one, b"a"), (two, b"bb"), (three, b"ccc")).halves()
    assert halves is not None
    assert [(half.value, half.items) for half in halves] == [(b"a", 1), (b"bbccc", 5)]
    assert halves[0].ticket is one
    assert halves[0].halves() is None
    again = halves[1].halves()
    assert again is not None

    assert [half.ticket for half in again] == [two, three]


async def test_shared_entry_keeps_the_books_of_each_request() -> None:
    """In doubt while it is under way, acknowledged with each one's own items, or failed for all."""
    one, two = (Ticket(None, lambda _: None) for _ in range(2))
    entry = shared((one, b"a"), (two, b"bb"))
    entry.doubt(1)
    assert [ticket.in_doubt_items for ticket in (one, two)] == [1, 2]
    entry.acknowledged()
    assert [ticket.in_doubt_items for ticket in (one, two)] == [0, 0]
    assert [ticket.acknowledged_items for ticket in (one, two)] == [1, 2]
    other = shared((one, b"a"), (two, b"b"))
    other.failed(Unavailable("away"))

    assert not one.live
    assert not two.live


async def test_shared_entry_is_waited_for_as_long_as_the_most_patient_does() -> None:
    """A caller without a deadline makes it endless."""
    clock = ManualClock()
    soon, late, gone = (Ticket(Deadline.after(s, clock), lambda _: None) for s in (1, 3, 9))
    gone.give_up()

    assert shared((soon, b"a"), (late, b"b"), (gone, b"c")).remaining_s() == 3
    assert shared((soon, b"a"), (Ticket(None, lambda _: None), b"b")).remaining_s() is None
