"""The clock and the queue of one partition."""

from bridge.processors._gathering.lane import Lane, Waits
from bridge.processors._gathering.trace import Trace
from tests.unit.processors._gathering.conftest import trace_id


def lane(wait_ms: int = 10_000, rooted_ms: int = 0) -> Lane:
    return Lane(("kafka", "spans", 3), None, Waits(wait_ms, rooted_ms))


def test_lane_clock_never_goes_back() -> None:
    """Records out of order do not turn time round."""
    one = lane()
    one.advance(500)
    one.advance(400)

    assert one.clock_ms == 500


def test_lane_gives_traces_when_their_wait_is_over() -> None:
    """A trace is due once the clock has moved by its wait, and not before."""
    one = lane()
    one.advance(1_000)
    one.put(Trace(trace_id(1)), 1, 0.0)
    one.advance(10_999)
    early = one.take_due()
    one.advance(11_000)
    bucket = one.take_due()

    assert early is None
    assert bucket is not None
    assert [trace_id(1)] == [trace.trace_id for trace in bucket.traces]


def test_lane_groups_traces_that_begin_together() -> None:
    """Within a twentieth of the wait, but at most 100 ms, traces share a decision."""
    one = lane()
    for number, at_ms in enumerate((1_001, 1_050, 1_101)):
        one.advance(at_ms)
        one.put(Trace(trace_id(number + 1)), number, 0.0)

    assert [len(bucket.traces) for bucket in one.due] == [2, 1]


def test_lane_knows_when_to_look_again() -> None:
    """`next_due_ms` is the earliest decision of both queues."""
    one = lane(rooted_ms=1_000)
    trace = Trace(trace_id(1))
    one.put(trace, 1, 0.0)
    before = one.next_due_ms
    one.put_rooted(trace, 1, 0.0)

    assert (before, one.next_due_ms) == (10_000, 1_000)


def test_lane_oldest_passes_over_decided_traces() -> None:
    """What was decided early is not the oldest any more."""
    one = lane()
    first, second = Trace(trace_id(1)), Trace(trace_id(2))
    one.put(first, 1, 5.0)
    one.advance(5_000)
    one.put(second, 2, 7.0)
    first.decided = True
    oldest = one.oldest()

    assert oldest is not None
    assert oldest.arrived_s == 7.0
    second.decided = True
    assert one.oldest() is None


def test_lane_shows_its_state() -> None:
    """The text names the partition and what waits."""
    assert repr(lane()) == "Lane(spans/3, 0 undecided, 0 to deliver)"
