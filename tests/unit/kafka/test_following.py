"""What a group finished; following itself is in tests/integration/test_send.py."""

from bridge.kafka.following import Finished


def test_record_is_finished_below_the_commit_or_in_a_run() -> None:
    """Runs end before their stop."""
    finished = Finished(5, ((7, 9),))

    assert [offset for offset in range(4, 11) if finished.has(offset)] == [4, 7, 8]
