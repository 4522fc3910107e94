"""How far back is read; with a broker: tests/integration/test_read_back.py."""

import pytest

from bridge.kafka.read_back import Unfinished, find_context, target_ms
from tests.unit.kafka.consuming import ONE

NOW_MS = 1_000_000
SOME = Unfinished(start=50, begin=0, end=90, read_back_s=10.0)


@pytest.mark.parametrize(
    ("each", "stamps", "expected"),
    [
        (SOME, [500_000, 500_100, 500_200], 490_100),
        # What one producer believes moves nothing.
        (SOME, [900_000, 500_000, 500_100], 490_100),
        (SOME, [1_000, 500_000, 500_100], 490_000),
        # Nobody may be ahead of the wall.
        (SOME, [1_500_000, 1_500_001, 1_500_002], 990_000),
        # Nothing tells the time: what comes next may be as late as now.
        (SOME, [], 990_000),
        (Unfinished(50, 0, 90, 1e9), [500_000], 0),
    ],
)
def test_target_is_the_first_unfinished_records_time_less_the_wait(
    each: Unfinished, stamps: list[int], expected: int
) -> None:
    """Reading back begins so long before the first unfinished record, by credible timestamps."""
    assert target_ms(each, stamps, NOW_MS) == expected


def test_unfinished_is_looked_at_where_records_are() -> None:
    """The records before it tell the time, as far as there are any."""
    assert SOME.look_at == 30
    assert Unfinished(15, 10, 90, 1.0).look_at == 10


async def test_context_of_a_log_that_begins_there_asks_nobody() -> None:
    """Before the first record there is nothing."""
    connection = {"bootstrap_servers": ["127.0.0.1:1"]}

    assert await find_context(connection, {ONE: Unfinished(7, 7, 90, 10.0)}) == {ONE: 7}
