"""Custody and memory of held batches."""

import random

from hypothesis import given
from hypothesis import strategies as st

from bridge.core import Refused
from bridge.processors._gathering.ledger import Ledger
from bridge.processors._gathering.trace import HeldBatch, HeldRecord, Trace


def held(ledger: Ledger, offsets: list[int], charge: int = 100) -> tuple[HeldBatch, list[Trace]]:
    """A batch of records with one range each, of one trace each."""
    batch = HeldBatch(None, len(offsets))
    ledger.open(batch, charge)
    traces: list[Trace] = []
    for offset in offsets:
        record = HeldRecord(batch, offset)
        record.open += 1
        trace = Trace(b"")
        trace.add((b"", b"", b"", record), 0, 0, 1)
        traces.append(trace)
        ledger.release(record)
    return batch, traces


def test_ledger_finishes_a_record_that_is_dropped() -> None:
    """Dropped by a policy counts as finished."""
    ledger = Ledger()
    batch, (first, second) = held(ledger, [7, 8])
    ledger.dropped(first)

    assert batch.finished == [7]
    assert [batch] == ledger.take_finished()
    assert ledger.take_completed() == []
    ledger.dropped(second)
    assert [batch] == ledger.take_completed()


def test_ledger_finishes_a_sampled_record_only_once_delivered() -> None:
    """Between decision and delivery the record is held, and its bytes count as undelivered."""
    ledger = Ledger()
    batch, (trace,) = held(ledger, [7], charge=100)
    before = (ledger.undecided_bytes, ledger.undelivered_bytes)
    ledger.kept(trace)
    between = (ledger.undecided_bytes, ledger.undelivered_bytes)
    assert batch.finished == []
    ledger.delivered(trace)

    assert (before, between) == ((100, 0), (0, 100))
    assert batch.finished == [7]
    assert (ledger.undecided_bytes, ledger.undelivered_bytes) == (0, 0)


def test_ledger_does_not_finish_what_is_refused() -> None:
    """The batch ends with the error, and its other records are finished."""
    ledger = Ledger()
    error = Refused("no")
    batch, (first, second) = held(ledger, [7, 8])
    ledger.kept(first)
    ledger.kept(second)
    ledger.refused(first, error)
    ledger.delivered(second)

    assert batch.finished == [8]
    assert error is batch.error
    assert [batch] == ledger.take_completed()


def test_ledger_finishes_a_record_without_spans_at_once() -> None:
    """Nothing in a record keeps it."""
    ledger = Ledger()
    batch = HeldBatch(None, 1)
    ledger.open(batch, 10)
    ledger.release(HeldRecord(batch, 3))

    assert batch.finished == [3]
    assert [batch] == ledger.take_completed()


def test_ledger_forgets_a_batch_whose_partition_is_gone() -> None:
    """Its bytes are free at once, and late outcomes count for nothing."""
    ledger = Ledger()
    batch, (trace,) = held(ledger, [7])
    ledger.kept(trace)
    ledger.forget(batch)
    ledger.delivered(trace)

    assert (ledger.undecided_bytes, ledger.undelivered_bytes, ledger.open_records) == (0, 0, 0)
    assert batch.finished == []
    assert ledger.take_completed() == []


def test_ledger_charges_later_costs_to_the_state_the_batch_is_in() -> None:
    """What is found to be needed is freed with the batch."""
    ledger = Ledger()
    batch, (trace,) = held(ledger, [7], charge=100)
    ledger.charge(batch, 50)
    assert ledger.undecided_bytes == 150
    ledger.kept(trace)
    ledger.charge(batch, 5)
    assert ledger.undelivered_bytes == 155
    ledger.delivered(trace)

    assert ledger.undelivered_bytes == 0
    ledger.charge(batch, 5)
    assert ledger.undelivered_bytes == 0


@given(
    seed=st.integers(0, 10_000),
    traces=st.integers(1, 8),
    records=st.integers(1, 6),
)
def test_ledger_finishes_each_record_exactly_when_its_last_trace_is_done(
    seed: int, traces: int, records: int
) -> None:
    """In any order of decisions and deliveries no record is finished early, late or twice."""
    dice = random.Random(seed)
    ledger = Ledger()
    batch = HeldBatch(None, records)
    ledger.open(batch, 10)
    made = [Trace(b"") for _ in range(traces)]
    needed: dict[int, set[int]] = {}
    for offset in range(records):
        record = HeldRecord(batch, offset)
        owners = [dice.randrange(traces) for _ in range(dice.randrange(4))]
        for owner in owners:
            record.open += 1
            made[owner].add((b"", b"", b"", record), 0, 0, 1)
        needed[offset] = set(owners)
        ledger.release(record)
    expected = {offset for offset, owners in needed.items() if not owners}
    waiting = list(range(traces))
    undelivered: list[int] = []
    while waiting or undelivered:
        if waiting and (not undelivered or dice.random() < 0.5):
            trace = waiting.pop(dice.randrange(len(waiting)))
            if dice.random() < 0.5:
                ledger.kept(made[trace])
                undelivered.append(trace)
                continue
            ledger.dropped(made[trace])
        else:
            trace = undelivered.pop(dice.randrange(len(undelivered)))
            ledger.delivered(made[trace])
        for offset, owners in needed.items():
            owners.discard(trace)
            if not owners:
                expected.add(offset)
        assert sorted(expected) == sorted(batch.finished)
    assert list(range(records)) == sorted(batch.finished)
    assert [batch] == ledger.take_completed()
    assert (ledger.undecided_bytes, ledger.undelivered_bytes, ledger.open_records) == (0, 0, 0)
