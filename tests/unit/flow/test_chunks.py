"""Records as they wait in a lane, and batches of them."""

from types import SimpleNamespace

from bridge.core import NO_METADATA, Malformed
from bridge.flow.chunks import Chunk, ReadRecord, may_share


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


def test_batch_is_held_when_all_of_it_is() -> None:
    """A place in the window is given back with the last record."""
    chunk = Chunk((entry(4), entry(7)), 2)
    chunk.held.add(4)
    assert not chunk.is_held
    chunk.held.add(7)

    assert chunk.is_held
    assert (chunk.first, chunk.context) == (4, False)
    assert {4, 7} == chunk.offsets()
