"""What a commit says about a lag."""

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from bridge.flow import encode_islands
from bridge.kafka.lag import lag_of

PLACE = TopicPartition("spans", 1)


@pytest.mark.parametrize(
    ("committed", "expected"),
    [
        (None, (None, 10, 0)),
        (OffsetAndMetadata(-1, ""), (None, 10, 0)),
        (OffsetAndMetadata(12, ""), (12, 8, 0)),
        (OffsetAndMetadata(3, ""), (3, 10, 0)),
        (OffsetAndMetadata(99, ""), (99, 0, 0)),
        (OffsetAndMetadata(12, encode_islands(12, ((14, 17),))), (12, 5, 3)),
        (OffsetAndMetadata(12, "of another tool"), (12, 8, 0)),
    ],
    ids=["none", "unset", "plain", "expired", "beyond the log", "islands", "foreign"],
)
def test_records_are_counted_from_where_the_group_goes_on(
    committed: OffsetAndMetadata | None, expected: tuple[int | None, int, int]
) -> None:
    """The log goes from 10 to 20: committed, records to go, and those finished beyond."""
    lag = lag_of(PLACE, 10, 20, committed)

    assert (lag.committed, lag.records, lag.beyond) == expected
