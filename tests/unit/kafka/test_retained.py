"""Partitions read side by side in the order of record time."""

from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from bridge.kafka.retained import Merge

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


def records(*stamps: int) -> list[Any]:
    return [SimpleNamespace(timestamp=stamp) for stamp in stamps]


def stamps(taken: Any) -> list[int]:
    return [record.timestamp for record in taken[1]]


def test_nothing_is_taken_while_a_partition_is_hungry() -> None:
    """The one that was not fetched yet may hold the oldest record."""
    merge = Merge([A, B])
    merge.feed(A, records(1, 2))

    assert {B} == merge.hungry
    assert merge.take() is None


def test_oldest_head_is_taken_up_to_the_next_partitions_head() -> None:
    """And a little beyond, so that partitions written at once do not alternate record by record."""
    merge = Merge([A, B])
    merge.feed(A, records(1000, 1100, 5000))
    merge.feed(B, records(1050, 6000))

    first = merge.take()
    assert first is not None
    assert (first[0], stamps(first)) == (A, [1000, 1100])
    assert first[2] == 1050, "B was not read beyond its head"

    second = merge.take()
    assert second is not None
    assert (second[0], stamps(second)) == (B, [1050])
    assert second[2] == 5000


def test_ended_partition_is_not_waited_for() -> None:
    """What it still has is taken, and then all is done."""
    merge = Merge([A, B])
    merge.end(B)
    merge.feed(A, records(1, 2))
    taken = merge.take()

    assert taken is not None
    assert stamps(taken) == [1, 2]
    assert taken[2] == 2
    assert not merge.done
    merge.end(A)
    assert merge.done


def test_partition_with_time_running_backwards_still_ends() -> None:
    """Record time may jump back: every record is taken once all the same."""
    merge = Merge([A, B])
    merge.feed(A, records(5000, 10, 7000))
    merge.feed(B, records(100))
    merge.end(A)
    merge.end(B)
    seen = []
    while (taken := merge.take()) is not None:
        seen += stamps(taken)

    assert sorted(seen) == [10, 100, 5000, 7000]
    assert merge.done
