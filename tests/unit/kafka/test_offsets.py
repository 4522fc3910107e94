"""What a reset would deliver again or skip; the rest is in tests/integration/test_offsets.py."""

import pytest

from bridge.kafka.offsets import OffsetMove


@pytest.mark.parametrize(
    ("committed", "target", "again", "skipped"),
    [
        (5, 5, 0, 0),
        (5, 2, 3, 0),
        (5, 9, 0, 4),
        # Records before the beginning are gone: nobody can skip them any more.
        (0, 4, 0, 2),
        # Nothing was committed, so nothing was delivered.
        (None, 2, 0, 0),
        (None, 10, 0, 8),
        # A commit beyond the end is of a log that was lost.
        (99, 2, 8, 0),
    ],
)
def test_move_tells_what_it_does(
    committed: int | None, target: int, again: int, skipped: int
) -> None:
    """In a log that holds the offsets 2 to 9."""
    move = OffsetMove("t", 0, 2, 10, committed, target)

    assert (move.again, move.skipped) == (again, skipped)
