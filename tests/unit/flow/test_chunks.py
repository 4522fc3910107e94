"""Records as they wait in a lane, and batches of them."""

import tracemalloc
from collections.abc import Iterable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import NO_METADATA, Malformed
from bridge.flow.chunks import Chunk, JoinedRecords, ReadRecord, consecutive, may_share, offsets_of
from bridge.kafka.record_reader import FetchedRecord


def entry(
    offset: int, body: bytes = b"x", value: bytes | None = b"v", **changes: object
) -> ReadRecord:
    record = SimpleNamespace(value=value)
    made = ReadRecord(offset, 0, body, 3, NO_METADATA, record)  # type: ignore[arg-type]  # Its value is all that counts.
    for name, one in changes.items():
        setattr(made, name, one)
    return made


def test_record_is_never_without_size() -> None:
    """What cannot be decoded takes the room of its record, and an empty one takes some."""
    assert entry(0, b"body").size == 4
    assert entry(0, b"", b"value").size == 5
    assert entry(0, b"", None).size == 1


def test_record_that_cannot_be_decoded_weighs_one() -> None:
    """Nobody knows how many items there are in it."""
    assert (entry(0).weight, entry(0, fault=Malformed("no")).weight) == (3, 1)


def test_records_share_a_batch_if_they_are_alike() -> None:
    """Sound, with equal metadata, and either all new or all only looked at."""
    assert may_share(entry(0), entry(1))
    assert not may_share(entry(0), entry(1, fault=Malformed("no")))
    assert not may_share(entry(0), entry(1, context=True))
    assert not may_share(entry(0), entry(1, metadata={"tenant": ("a",)}))


def fetched(offset: int, value: bytes, key: bytes | None, *names: str) -> ReadRecord:
    """A record as the receiver reads it: its value is the request."""
    headers = tuple((name, b"1") for name in names)
    record = FetchedRecord("spans", 2, offset, 1000 + offset, key, value, headers)
    return ReadRecord(offset, 1000 + offset, value, offset * 2, NO_METADATA, record)


def columns(entries: Iterable[ReadRecord]) -> list[tuple[object, ...]]:
    """Everything that records are asked for."""
    return [
        (
            entry.offset, entry.timestamp_ms, entry.body, entry.items, entry.metadata, entry.fault,
            entry.context, entry.record.topic, entry.record.partition, entry.record.offset,
            entry.record.timestamp, entry.record.key, entry.record.value, entry.record.headers,
        )
        for entry in entries
    ]  # fmt: skip


ALIKE = [fetched(4, b"one", b"k1"), fetched(5, b"", b""), fetched(6, b"three", b"k3")]
GAPS = [fetched(4, b"one", None), fetched(9, b"two", None)]
SOME_KEYS = [fetched(1, b"one", None, "a"), fetched(2, b"two", b"k", "b"), fetched(3, b"x", None)]


@pytest.mark.parametrize("entries", [ALIKE, GAPS, SOME_KEYS])
def test_joined_records_are_what_they_were(entries: list[ReadRecord]) -> None:
    """Each comes out as it went in: offset, time, request, items, and the record for a letter."""
    made = JoinedRecords(entries, b"".join(entry.body for entry in entries))

    assert columns(entries) == columns(made)
    assert columns(entries[1:]) == columns(made[1:])
    assert columns(entries[-1:]) == columns([made[-1]])
    assert len(entries) == len(made)
    assert (
        [entry.offset for entry in entries] == list(offsets_of(made)) == list(offsets_of(entries))
    )
    with pytest.raises(IndexError):
        made[len(entries)]


@given(st.lists(st.tuples(st.binary(max_size=4), st.none() | st.binary(max_size=2)), min_size=2))
def test_joined_records_are_what_they_were_whatever_they_hold(
    contents: list[tuple[bytes, bytes | None]],
) -> None:
    """Empty requests, empty keys and missing ones are told apart at every place."""
    entries = [fetched(at * 3, body, key) for at, (body, key) in enumerate(contents)]
    made = JoinedRecords(entries, b"".join(entry.body for entry in entries))

    assert columns(entries) == columns(made)
    assert columns(reversed(entries)) == columns(reversed(made))


def test_offsets_without_gaps_take_no_room() -> None:
    """A range stands for them; with a gap each is kept."""
    assert range(3, 6) == consecutive([3, 4, 5])
    assert list(consecutive([3, 5])) == [3, 5]
    assert list(consecutive([])) == []


def test_batch_that_is_held_lies_in_memory_once() -> None:
    """What a stage keeps in a budget of its own is not kept beside it, record by record."""
    tracemalloc.start()
    try:
        # Values are made, since a constant would stay in memory anyway.
        entries = [fetched(at, bytes([at]) * 10_000, b"key") for at in range(100)]
        chunk = Chunk(tuple(entries), 1_000_000)
        chunk.joined = b"".join(entry.body for entry in entries)
        before, held_twice = columns(entries[:1]), tracemalloc.get_traced_memory()[0]
        del entries

        chunk.hold_all()

        assert held_twice - 950_000 > tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert before == columns(chunk.entries[:1])
    assert chunk.is_held
    assert (chunk.held_bytes, chunk.first, chunk.entries[0].offset) == (1_000_000, 0, 0)


ODD = [
    [fetched(1, b"one", None)],
    [fetched(1, b"one", None), entry(2, b"made of it", b"something else")],
    [fetched(1, b"one", None), fetched(2, b"not the end", None)],
]


@pytest.mark.parametrize("entries", ODD)
def test_records_that_are_not_what_was_joined_stay_as_they_are(entries: list[ReadRecord]) -> None:
    """One alone, one whose record holds something else, one of which the request holds a part."""
    chunk = Chunk(tuple(entries), 9)
    chunk.joined = b"".join(entry.body for entry in entries)[:6]

    chunk.hold_all()

    assert entries == list(chunk.entries)
    assert chunk.is_held


def test_batch_is_held_when_all_of_it_is() -> None:
    """A place in the window is given back with the last record."""
    chunk = Chunk((entry(4), entry(7)), 2)
    chunk.held.add(4)
    assert not chunk.is_held
    chunk.hold_all()

    assert chunk.is_held
    assert (chunk.first, chunk.context) == (4, False)
    assert {4, 7} == chunk.offsets()
