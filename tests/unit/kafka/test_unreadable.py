"""Finding where a damaged batch begins and ends."""

from bridge.core import Malformed
from bridge.flow import Lane, Unreadable
from bridge.kafka.unreadable import Suspect
from tests.unit.kafka.consuming import LIMITS


def test_suspect_without_damage_is_over_after_its_time() -> None:
    """A partition that turns out to be sound is read as usual again."""
    suspect = Suspect(until_s=10.0)

    assert not suspect.over(5, 9.0)
    assert suspect.over(5, 10.0)
    assert suspect.entry(Lane("spans", 0, 1, LIMITS), 5) is None


def test_suspect_tries_one_offset_after_the_other() -> None:
    """Where a damaged batch ends cannot be trusted, so each offset is tried."""
    suspect = Suspect(until_s=0.0)

    assert [suspect.failed_at(position, 0.0) for position in (3, 4, 5)] == [4, 5, 6]
    assert suspect.damaged_from == 3


def test_suspect_damaged_to_the_end_is_over_there() -> None:
    """When nothing follows the damage, the log's end ends it."""
    suspect = Suspect(until_s=0.0)
    suspect.failed_at(3, 0.0)

    assert not suspect.over(None, 99.0)
    assert not suspect.over(5, 99.0)
    assert suspect.over(4, 99.0)


def test_suspect_entry_stands_for_the_damaged_offsets() -> None:
    """One faulty record stands for all of them and names them."""
    suspect = Suspect(until_s=0.0)
    suspect.failed_at(3, 0.0)

    entry = suspect.entry(Lane("spans", 2, 1, LIMITS), 6)

    assert entry is not None
    assert entry.record == Unreadable("spans", 2, 3, 6, 0)
    assert isinstance(entry.fault, Malformed)
    assert "offsets 3 to 5" in str(entry.fault)
