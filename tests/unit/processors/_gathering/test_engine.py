"""Gathering and deciding on record time and on the steady clock."""

from collections.abc import Callable

import pytest

from bridge.core import Batch, Malformed, Origin, Signal
from bridge.processors._gathering import Bounds, Decision, Moment
from bridge.testing import FakeCustody, kafka_batch
from tests.unit.processors._gathering.conftest import WALL_MS, Rig, request, trace_id

A, B, C, D = (trace_id(number) for number in range(1, 5))

MakeRig = Callable[..., Rig]


# Record time.


def test_engine_decides_when_record_time_has_passed(rig: MakeRig) -> None:
    """A trace is decided once a record is `decision_wait` younger than its first one."""
    own = rig(A)
    own.records(request((A, 1)), request((A, 2)), at_ms=[1_000, 5_000])
    assert own.judge.shown == []
    own.records(request((B, 3)), at_ms=[11_000])

    assert own.judge.shown == [(A, [1, 2], 2)]
    assert own.deliver() == [(A, 1), (A, 2)]
    assert own.finished() == [0, 1]


def test_engine_decides_the_same_whatever_batches_records_come_in(rig: MakeRig) -> None:
    """What a trace is judged by depends on its records alone, as a replay has to."""
    bodies = [request((A, 1)), request((A, 2)), request((B, 3)), request((A, 4))]
    stamps = [0, 9_000, 10_000, 10_001]
    joined, single = rig(), rig()
    joined.records(*bodies, at_ms=stamps)
    for body, stamp in zip(bodies, stamps, strict=True):
        single.records(body, at_ms=[stamp])

    assert joined.judge.shown == [(A, [1, 2], 2)]
    assert joined.judge.shown == single.judge.shown


def test_engine_clock_of_a_producer_an_hour_ahead_stays_at_the_wall(rig: MakeRig) -> None:
    """A timestamp from the future decides nothing before the wall's time gets there."""
    own = rig()
    own.records(request((A, 1)), at_ms=[WALL_MS])
    own.records(request((B, 2)), at_ms=[WALL_MS + 3_600_000], wall_ms=WALL_MS + 5_000)
    assert own.judge.shown == []
    own.records(request((C, 3)), at_ms=[WALL_MS + 3_600_000], wall_ms=WALL_MS + 10_000)

    assert own.judge.shown == [(A, [1], 1)]


def test_engine_trace_of_a_producer_an_hour_behind_waits_in_full(rig: MakeRig) -> None:
    """A trace starts at the partition's clock, not at its record's own time."""
    own = rig()
    own.records(request((A, 1)), at_ms=[WALL_MS])
    own.records(request((B, 2)), at_ms=[WALL_MS - 3_600_000], wall_ms=WALL_MS + 1)
    assert own.judge.shown == []
    own.records(request((C, 3)), at_ms=[WALL_MS + 9_999], wall_ms=WALL_MS + 20_000)
    assert own.judge.shown == []
    own.records(request((C, 4)), at_ms=[WALL_MS + 10_000], wall_ms=WALL_MS + 20_000)

    assert {A, B} == {owner for owner, _, _ in own.judge.shown}


def test_engine_partition_that_is_caught_up_follows_the_wall(rig: MakeRig) -> None:
    """An idle partition decides its last traces."""
    own = rig()
    own.records(request((A, 1)), at_ms=[WALL_MS])
    (lane,) = own.engine.lanes.values()
    own.engine.caught_up(lane, Moment(0.0, WALL_MS + 9_999))
    assert own.judge.shown == []
    own.engine.caught_up(lane, Moment(0.0, WALL_MS + 10_000))

    assert own.judge.shown == [(A, [1], 1)]
    assert own.finished() == [0]


def test_engine_partition_that_is_paused_stands_still(rig: MakeRig) -> None:
    """The steady clock alone decides nothing of a partition."""
    own = rig()
    own.records(request((A, 1)), at_ms=[WALL_MS])
    own.engine.tick(Moment(1e6, WALL_MS + 10**9))

    assert own.judge.shown == []


def test_engine_wall_clock_option_counts_from_the_reading(rig: MakeRig) -> None:
    """Without record time a partition runs on the steady clock."""
    own = rig(by_record_time=False)
    own.records(request((A, 1)), request((B, 2)), at_ms=[0, 10**9], now_s=5.0)
    own.engine.tick(Moment(14.9, WALL_MS))
    assert own.judge.shown == []
    own.engine.tick(Moment(15.1, WALL_MS))

    assert {A, B} == {owner for owner, _, _ in own.judge.shown}


def test_engine_batch_without_record_times_counts_as_of_now(rig: MakeRig) -> None:
    """A stage that lost the records' ranges leaves the wall's time as the best that is known."""
    own = rig(A)
    batch = Batch(Signal.TRACES, request((A, 1)), 1, Origin("kafka", None, own.custody, records=()))
    held = own.engine.take(batch, Moment(0.0, WALL_MS))
    own.engine.take(batch.with_body(request((B, 2)), 1), Moment(0.0, WALL_MS + 10_100))

    assert own.judge.shown == [(A, [1], 1)]
    assert own.deliver() == [(A, 1)]
    assert [held] == own.engine.ledger.take_completed()
    assert own.finished() == []


# By OTLP.


def test_engine_decides_otlp_traces_on_the_steady_clock(rig: MakeRig) -> None:
    """What came without custody waits by this machine's clock."""
    own = rig(A)
    own.otlp(request((A, 1)), now_s=100.0)
    own.otlp(request((A, 2)), now_s=109.0)
    own.engine.tick(Moment(109.9, 0))
    assert own.judge.shown == []
    own.engine.tick(Moment(110.1, 0))

    assert own.judge.shown == [(A, [1, 2], 2)]
    assert own.deliver() == [(A, 1), (A, 2)]


def test_engine_decides_all_otlp_traces_at_the_end(rig: MakeRig) -> None:
    """At a stop they are decided early; those from Kafka are left to be read again."""
    own = rig(A, B)
    own.otlp(request((A, 1)))
    own.records(request((B, 2)), at_ms=[WALL_MS])
    own.engine.decide_all("shutdown", Moment(0.0, WALL_MS))

    assert own.judge.shown == [(A, [1], 1)]
    assert own.own("early_decisions", cause="shutdown") == 1
    assert own.engine.undecided == 1


def test_engine_drops_all_otlp_traces_if_told(rig: MakeRig) -> None:
    """Dropping asks nobody."""
    own = rig(A)
    own.otlp(request((A, 1), (B, 2)))

    assert own.engine.drop_all(Moment(0.0, 0)) == 2
    assert own.judge.shown == []
    assert own.engine.undecided == 0


# Custody.


def test_engine_finishes_a_record_with_the_last_of_its_traces(rig: MakeRig) -> None:
    """A record that interleaves traces is finished when all were decided and delivered."""
    own = rig(B)
    own.records(request((A, 1)), request((A, 2), (B, 3)), at_ms=[0, 5_000])
    own.records(request((C, 4)), at_ms=[10_000])
    assert own.finished() == [0]
    own.records(request((C, 5)), at_ms=[15_000])
    assert own.finished() == []
    own.deliver()

    assert own.finished() == [1]


def test_engine_counts_a_dropped_trace_as_finished(rig: MakeRig) -> None:
    """A drop needs no delivery."""
    own = rig(A)
    own.judge.dropped.add(A)
    own.records(request((A, 1)), b"", at_ms=[0, 10_000])

    assert own.finished() == [0, 1]
    assert own.shared.decisions[Decision.DROPPED].value == 1


def test_engine_refuses_broken_bodies_without_taking_anything(rig: MakeRig) -> None:
    """After `Malformed` nothing is held."""
    own = rig()
    with pytest.raises(Malformed):
        own.records(request((A, 1)) + b"\x0a\x7f", at_ms=[0])

    assert own.engine.ledger.open_records == 0
    assert own.engine.undecided == 0


def test_engine_forgets_an_assignment_that_ended(rig: MakeRig) -> None:
    """Everything of it is free at once, and its batches are told."""
    own = rig(A, everything=True)
    own.records(request((A, 1)), request((B, 2)), at_ms=[0, 10_000])
    own.engine.end_assignment(own.custody)

    assert len(own.engine.take_abandoned()) == 1
    assert own.engine.take_abandoned() == []
    assert 0 == own.engine.undecided == own.engine.ledger.open_records
    assert own.deliver() == []


def test_engine_returns_what_was_under_way_when_its_assignment_ended(rig: MakeRig) -> None:
    """A delivery that was given up for a partition which is gone leaves nothing in flight."""
    own = rig(A, everything=True)
    own.records(request((A, 1)), request((B, 2)), at_ms=[0, 10_000])
    taken = own.engine.take_kept(1 << 20)
    own.engine.end_assignment(own.custody)
    assert own.engine.held_spans() == 1

    own.engine.give_back(taken)

    assert own.engine.held_spans() == 0
    assert own.settings.metrics.value("bridge_ledger_items", column="returned") == 2  # type: ignore[attr-defined]  # RecordingMetrics has it.


def test_engine_tells_what_was_dropped_of_each_record(rig: MakeRig) -> None:
    """Spans of traces that were not sampled, also late ones, and what fell on the way here."""
    own = rig(A)
    own.records(
        request((A, 1), (B, 2), (B, 3)), request((A, 4)), request((B, 5)), at_ms=[0, 0, 20_000]
    )
    own.deliver()

    dropped = {}
    for held in own.engine.ledger.take_finished():
        dropped |= held.dropped
    assert dropped == {0: 2, 2: 1}


def test_engine_forgets_an_old_assignment_that_nobody_ended(rig: MakeRig) -> None:
    """A batch under another custody of the same partition ends the one before."""
    own = rig()
    own.records(request((A, 1)), at_ms=[0])
    own.custody.finished.append(99)  # Now it differs from a new one.
    old, own.custody = own.custody, FakeCustody()
    own.offset = 0
    own.records(request((A, 1)), at_ms=[0])

    assert own.engine.undecided == 1
    assert [old] == [held.custody for held in own.engine.take_abandoned()]
    assert own.own("replayed_records") == 1


def test_engine_keeps_partitions_apart(rig: MakeRig) -> None:
    """Every partition has its own clock."""
    own = rig()
    own.records(request((A, 1)), at_ms=[0])
    other = kafka_batch(
        Signal.TRACES,
        request((B, 2)),
        items=1,
        custody=FakeCustody(partition=1),
        timestamps_ms=[10**9],
    )
    own.engine.take(other, Moment(0.0, WALL_MS))

    assert own.judge.shown == []
    assert len(own.engine.lanes) == 2


# Late spans.


def test_engine_lets_late_spans_of_a_sampled_trace_through(rig: MakeRig) -> None:
    """They follow the decision without being asked about, and are held until delivered."""
    own = rig(A)
    own.records(request((A, 1)), request((B, 2)), at_ms=[0, 10_000])
    own.deliver()
    own.finished()
    own.judge.sampled.clear()
    own.records(request((A, 3), (A, 4)), at_ms=[10_001], now_s=7.0)
    assert own.finished() == []

    assert own.deliver() == [(A, 3), (A, 4)]
    assert own.finished() == [2]
    assert own.judge.shown == [(A, [1], 1)]
    assert own.shared.early_releases[True].value == 2
    assert own.shared.late_age.sum == 7.0


def test_engine_drops_late_spans_of_a_trace_that_was_not_sampled(rig: MakeRig) -> None:
    """They are finished at once."""
    own = rig()
    own.records(request((A, 1)), request((B, 2)), at_ms=[0, 10_000])
    own.judge.everything = True
    own.finished()
    own.records(request((A, 3)), at_ms=[10_001])

    assert own.finished() == [2]
    assert own.shared.early_releases[False].value == 1


def test_engine_without_cache_judges_late_spans_anew(rig: MakeRig) -> None:
    """Size 0 is the Collector's default: a late span begins a trace."""
    own = rig(cache=0)
    own.records(request((A, 1)), request((B, 2)), request((A, 3)), at_ms=[0, 10_000, 10_001])
    own.records(request((C, 4)), at_ms=[20_001 + 99])

    assert [numbers for _, numbers, _ in own.judge.shown] == [[1], [2], [3]]


# Roots.


def rooted(number: int, owner: bytes) -> bytes:
    """A request with one root span."""
    body = request((owner, number))
    return body.replace(b"\x22\x08parent00", b"\x2a\x08renamed0")


def test_engine_decides_sooner_after_the_root_came(rig: MakeRig) -> None:
    """`decision_wait_after_root_received` counts from the root."""
    own = rig(rooted_ms=2_000)
    own.records(request((A, 1)), rooted(2, A), request((B, 3)), at_ms=[0, 3_000, 4_900])
    assert own.judge.shown == []
    own.records(request((B, 4)), at_ms=[5_000])
    assert own.judge.shown == [(A, [1, 2], 2)]
    own.records(request((C, 5)), at_ms=[30_000])

    assert [owner for owner, _, _ in own.judge.shown] == [A, B]


def test_engine_ignores_a_wait_after_the_root_that_is_longer(rig: MakeRig) -> None:
    """The sooner of the two counts."""
    own = rig(rooted_ms=20_000)
    own.records(rooted(1, A), request((B, 2)), at_ms=[0, 10_000])

    assert own.judge.shown == [(A, [1], 1)]


# Bounds.


def test_engine_decides_the_oldest_early_above_num_traces(rig: MakeRig) -> None:
    """They are decided on what is there, not dropped."""
    own = rig(A, bounds=Bounds(1 << 30, 1 << 29, traces_max=2))
    own.records(request((A, 1)), request((B, 2)), at_ms=[0, 1])
    assert own.engine.full
    own.records(request((C, 3)), at_ms=[2])

    assert own.judge.shown == [(A, [1], 1)]
    assert own.own("early_decisions", cause="num_traces") == 1
    assert own.deliver() == [(A, 1)]


def test_engine_decides_the_oldest_early_above_its_memory(rig: MakeRig) -> None:
    """What is held stays below the bound, and nothing is lost."""
    own = rig(everything=True, bounds=Bounds(100_000, 50_000))
    sent = [(trace_id(number), number) for number in range(1, 101)]
    got = []
    for number, span in enumerate(sent):
        own.records(request(span), at_ms=[number])
        ledger = own.engine.ledger
        assert ledger.undecided_bytes + ledger.undelivered_bytes <= 100_000 + 10_000
        got += own.deliver()
    own.finished()
    (lane,) = own.engine.lanes.values()
    own.engine.caught_up(lane, Moment(0.0, WALL_MS))
    got += own.deliver()

    assert sent == got
    assert own.own("early_decisions", cause="memory") > 0


def test_engine_with_a_backlog_of_deliveries_decides_nothing_early(rig: MakeRig) -> None:
    """Deciding more of what cannot be delivered would free nothing: the source must wait."""
    own = rig(everything=True, bounds=Bounds(20_000, 5_000))
    number = 0
    while not own.engine.congested:
        number += 1
        own.records(request((trace_id(number), number)), at_ms=[number])
    decided = len(own.judge.shown)
    for more in range(number + 1, number + 50):
        own.records(request((trace_id(more), more)), at_ms=[number])

    assert decided == len(own.judge.shown)
    own.deliver()
    own.finished()
    assert not own.engine.congested


def test_engine_does_not_sample_a_trace_above_the_maximum_size(rig: MakeRig) -> None:
    """It is decided at once, its later spans are not held, and nobody is asked."""
    own = rig(everything=True, bounds=Bounds(1 << 30, 1 << 29, trace_bytes_max=500))
    own.records(*(request((A, number)) for number in range(20)), at_ms=[0] * 20)

    assert own.judge.shown == []
    assert own.shared.too_large.value == 1
    assert list(range(20)) == own.finished()
    assert own.engine.undecided == 0


@pytest.mark.slow
def test_engine_decides_a_giant_trace_early(rig: MakeRig) -> None:
    """One of 200,000 spans is decided on a part of them; the others follow unheld."""
    own = rig(A, bounds=Bounds(1 << 30, 1 << 29, trace_bytes_early=100_000))
    body = request(*((A, number) for number in range(1_000)))
    for _ in range(20):
        own.records(*[body] * 10, at_ms=[0] * 10)
        own.deliver()
    ledger = own.engine.ledger

    assert len(own.judge.shown) == 1
    assert own.own("early_decisions", cause="trace_size") == 1
    assert list(range(200)) == own.finished()
    assert ledger.undecided_bytes + ledger.undelivered_bytes == 0


# Span ingest.


def test_engine_ingest_judges_what_each_record_brings(rig: MakeRig) -> None:
    """A trace is passed on as soon as one record's spans are sampled, with all it has."""
    own = rig(ingest=True)
    own.records(request((A, 1)), at_ms=[0])
    own.judge.sampled.add(A)
    own.records(request((A, 2), (A, 3)), at_ms=[1])

    assert own.judge.shown == [(A, [1], 1), (A, [2, 3], 2)]
    assert own.deliver() == [(A, 1), (A, 2), (A, 3)]


def test_engine_ingest_does_not_sample_what_nothing_sampled_in_time(rig: MakeRig) -> None:
    """When the wait is over nobody is asked again."""
    own = rig(ingest=True)
    own.records(request((A, 1)), at_ms=[0])
    own.judge.everything = True
    own.records(b"", at_ms=[10_000])

    assert len(own.judge.shown) == 1
    assert own.deliver() == []
    assert own.finished() == [0, 1]


# Context.


def test_engine_judges_by_context_and_delivers_none_of_it(rig: MakeRig) -> None:
    """Records that were finished before tell about a trace and are not sent again."""
    own = rig(A)
    own.records(request((A, 1)), at_ms=[0], context=True)
    own.records(request((A, 2)), request((B, 3)), at_ms=[1, 10_100])

    assert own.judge.shown == [(A, [1, 2], 2)]
    (((_, trace),)) = own.engine.take_kept(1 << 20)
    assert trace.spans == 1
    own.engine.give_back([(next(iter(own.engine.lanes.values())), trace)])
    assert own.deliver() == [(A, 2)]
    assert own.finished() == [1]
    assert own.own("context_ranges") == 1


def test_engine_drop_that_stands_in_a_committed_record_holds(rig: MakeRig) -> None:
    """After a crash between two commits a dropped trace stays out: its reason is read back."""
    own = rig(everything=True)
    own.judge.dropped.add(A)
    own.records(request((A, 1), (B, 2)), at_ms=[0], context=True)
    own.records(request((A, 3)), b"", at_ms=[5, 10_100])

    assert (A, [1, 3], 2) in own.judge.shown
    assert own.deliver() == []
    assert own.finished() == [1, 2]


def test_engine_trace_of_context_alone_goes_nowhere(rig: MakeRig) -> None:
    """What was all delivered before is judged for the cache and not sent."""
    own = rig(A)
    own.records(request((A, 1)), at_ms=[0], context=True)
    own.records(request((B, 2)), request((A, 3)), at_ms=[10_000, 10_001])

    assert own.deliver() == [(A, 3)]


# Poison.


def test_engine_spans_without_trace_id_are_judged_by_window(rig: MakeRig) -> None:
    """They form one group, are counted, and no decision about them is remembered."""
    own = rig(bytes(16))
    own.records(request((bytes(16), 1), (bytes(16), 2), (b"", 3)), b"", at_ms=[0, 10_000])
    first = own.deliver()
    own.records(request((bytes(16), 4)), b"", at_ms=[10_001, 20_101])

    assert [(bytes(16), 1), (bytes(16), 2)] == first
    assert [(bytes(16), 4)] == own.deliver()
    assert own.own("spans_without_trace_id") == 4
    assert own.shared.early_releases[True].value == 0


def test_engine_equal_span_ids_are_all_kept(rig: MakeRig) -> None:
    """A span id says nothing about whether a span came before."""
    own = rig(A)
    own.records(request((A, 1), (A, 1)), b"", at_ms=[0, 10_000])

    assert own.deliver() == [(A, 1), (A, 1)]


@pytest.mark.slow
def test_engine_record_of_ten_thousand_traces_is_finished(rig: MakeRig) -> None:
    """Interleaving costs no more than its spans."""
    own = rig()
    spans = [(trace_id(number), turn) for turn in range(2) for number in range(1, 10_001)]
    own.records(request(*spans), b"", at_ms=[0, 10_000])

    assert len(own.judge.shown) == 10_000
    assert {2} == {count for _, _, count in own.judge.shown}
    assert own.finished() == [0, 1]


@pytest.mark.slow
def test_engine_burst_of_short_traces_stays_within_its_memory(rig: MakeRig) -> None:
    """A burst of one-span traces is decided early as far as it does not fit."""
    own = rig(bounds=Bounds(5_000_000, 2_500_000), cache=1_000)
    own.judge.decide = lambda *args: Decision.NOT_SAMPLED  # type: ignore[method-assign]  # Faster.
    most = 0
    for turn in range(40):
        ids = range(turn * 1_000 + 1, (turn + 1) * 1_000 + 1)
        own.records(request(*((trace_id(number), 1) for number in ids)), at_ms=[0])
        most = max(most, own.engine.ledger.undecided_bytes)
    own.finished()

    assert most <= 5_000_000
    assert own.own("early_decisions", cause="memory") > 20_000


def test_engine_shows_the_age_of_the_oldest_trace(rig: MakeRig) -> None:
    """The age is that of the steady clock, since its first span came."""
    own = rig()
    assert own.engine.oldest_age_s(Moment(5.0, 0)) == 0.0
    own.records(request((A, 1)), at_ms=[0], now_s=10.0)
    own.records(request((B, 1)), at_ms=[5_000], now_s=12.0)

    assert own.engine.oldest_age_s(Moment(15.0, 0)) == 5.0
    assert "2 undecided in 1 lanes" in repr(own.engine)


def test_engine_take_kept_bounds_bytes_and_starves_no_lane(rig: MakeRig) -> None:
    """A batch holds as much as may be, or one trace; the next call goes on with another lane."""
    own = rig(everything=True)
    own.records(*(request((trace_id(n), n)) for n in (1, 2, 3)), at_ms=[0, 0, 0])
    own.otlp(request((D, 4)))
    own.engine.decide_all("shutdown", Moment(0.0, WALL_MS))
    (lane, *_) = own.engine.lanes.values()
    own.engine.caught_up(lane, Moment(0.0, WALL_MS))
    order = []
    while taken := own.engine.take_kept(1):
        order += [trace.trace_id for _, trace in taken]
        own.engine.delivered(taken)

    assert order == [A, D, B, C]
