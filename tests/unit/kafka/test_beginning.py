"""Where a partition is begun that was just assigned."""

import pytest

from bridge.flow import encode_islands
from bridge.kafka.beginning import Beginning, InitialOffset, choose_beginning
from bridge.kafka.consumer import Committed


@pytest.mark.parametrize(("initial", "start"), [("earliest", 5), ("latest", 90)])
def test_beginning_without_commit_follows_initial_offset(
    initial: InitialOffset, start: int
) -> None:
    """A group that has committed nothing begins at the chosen end."""
    assert choose_beginning(None, 5, 90, initial) == Beginning(start)


def test_beginning_at_the_commit_skips_islands() -> None:
    """The committed offset is read from, and its metadata names what is finished beyond it."""
    committed = Committed(10, encode_islands(10, [(12, 15)]))

    assert choose_beginning(committed, 0, 90, "earliest") == Beginning(10, ((12, 15),))


def test_beginning_without_islands_ignores_metadata() -> None:
    """With `islands: false` the metadata is somebody else's."""
    committed = Committed(10, encode_islands(10, [(12, 15)]))

    assert choose_beginning(committed, 0, 90, "earliest", use_islands=False) == Beginning(10)


def test_beginning_with_foreign_metadata_says_why_it_is_not_used() -> None:
    """Metadata of another tool costs duplicates and is named."""
    beginning = choose_beginning(Committed(10, "mine"), 0, 90, "earliest")

    assert (beginning.start, beginning.islands) == (10, ())
    assert "no metadata of this bridge" in beginning.islands_refused


def test_beginning_after_expiry_counts_the_lost() -> None:
    """What retention removed before it was delivered is counted; finished islands are not lost."""
    committed = Committed(10, encode_islands(10, [(12, 15), (19, 25)]))

    assert choose_beginning(committed, 20, 90, "latest") == Beginning(20, ((20, 25),), 6)


def test_beginning_beyond_the_log_reads_all_of_it() -> None:
    """A commit beyond the end means another log: nothing in it was read, whatever is configured."""
    assert choose_beginning(Committed(100, ""), 5, 90, "latest") == Beginning(5, reset=True)
