"""What receipts say of the whole."""

from typing import Any

from bridge.service.probe import HOPS, TraceReceipt, by_partition, faults, summarize


def receipt(**changes: Any) -> TraceReceipt:
    """A trace that passed every hop at partition 1, offset 7."""
    fields: dict[str, Any] = {
        "answered_s": 1.0,
        "readable_s": 2.0,
        "delivered_s": 2.5,
        "committed_s": 3.0,
        "places": [(1, 7)],
    }
    return TraceReceipt(b"t", 0.0, **{**fields, **changes})


def test_traces_that_passed_every_hop_have_no_fault() -> None:
    """And are counted at each."""
    receipts = [receipt(), receipt(answered_s=3.0), receipt(answered_s=2.0)]
    answered, *_ = summarize(receipts, HOPS)

    assert faults(receipts, HOPS) == []
    assert (answered.traces, answered.times_s) == (3, (1.0, 2.0, 3.0, 3.0))


def test_trace_is_missed_at_the_first_hop_it_did_not_pass() -> None:
    """Not once more at those behind it."""
    receipts = [
        receipt(answered_s=None, readable_s=None, committed_s=None),
        receipt(readable_s=None, committed_s=None),
        receipt(committed_s=None),
        receipt(refused="no", answered_s=None, readable_s=None, committed_s=None),
        receipt(places=[(1, 7), (2, 3)]),
    ]

    assert faults(receipts, HOPS) == [
        "1 refused: no",
        "1 not answered in time",
        "1 answered and not readable in the topic in time",
        "1 readable and not committed by the group in time",
        "1 split: their spans are on several partitions",
    ]


def test_trace_that_was_not_delivered_is_no_fault() -> None:
    """A rule may have dropped it; that it was committed says that nobody lost it."""
    assert faults([receipt(delivered_s=None)], HOPS) == []


def test_hop_that_nothing_passed_has_no_times() -> None:
    """Only a count of none."""
    (committed,) = summarize([receipt(committed_s=None)], ["committed"])

    assert (committed.traces, committed.most_s) == (0, 0.0)


def test_partitions_show_their_traces_and_offsets() -> None:
    """A trace in two records of a partition counts once."""
    receipts = [receipt(), receipt(places=[(1, 9), (1, 8)]), receipt(places=[(0, 4)])]

    assert by_partition(receipts) == {0: (1, 4, 4), 1: (2, 7, 9)}
