"""Entries become batches: full, in order, and never too large."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka import Entry, Ticket
from bridge.kafka.packing import take_batch, to_records
from bridge.kafka.record_batch import BATCH_OVERHEAD_BYTES, build_batch

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
