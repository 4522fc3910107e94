"""What came in is in one column or in flight, whatever happens."""

import random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core import ACCEPTED, NO_METADATA, Malformed, Receipt, Signal
from bridge.flow import OF_KAFKA, Account, Column, Lane, LaneLimits, ReadRecord, imbalance
from bridge.flow.ledger import OF_GATHERING, OF_OTLP, shares
from bridge.testing import RecordingMetrics

LIMITS = LaneLimits(window_bytes_max=1000, batches_max=100, batch_bytes_max=30)


class Books:
    """An account of the Kafka receiver, with the metrics in which it is read."""

    def __init__(self) -> None:
        self.metrics = RecordingMetrics()
        self.account = Account(self.metrics, "receivers/kafka", Signal.TRACES, OF_KAFKA)

    def column(self, column: Column) -> float:
        return self.metrics.value("bridge_ledger_items", column=column.value)

    def lane(self) -> Lane:
        lane = Lane("spans", 0, 1, LIMITS, account=self.account)
        self.account.watch(lane.items_in_flight)
        lane.open(0)
        return lane


def _entries(offsets: range, items: int = 3, fault: Malformed | None = None) -> list[ReadRecord]:
    record = SimpleNamespace(value=b"x")
    return [
        ReadRecord(at, at, b"x" * 10, items, NO_METADATA, record, fault)  # type: ignore[arg-type]  # The lane looks at the value only.
        for at in offsets
    ]


@pytest.mark.parametrize(
    ("columns", "in_flight", "expected"),
    [
        ({Column.CONSUMED: 5, Column.DELIVERED: 4}, 0, 1),
        ({Column.CONSUMED: 5, Column.DELIVERED: 4, Column.DROPPED: 2}, 0, -1),
        ({Column.CONSUMED: 5, Column.DELIVERED: 3}, 2, 0),
        ({Column.CONSUMED: 5, Column.DELIVERED: 5, Column.DUPLICATES: 7}, 0, 0),
        ({Column.RECEIVED: 5, Column.ACKNOWLEDGED: 3, Column.INVALID: 2}, 0, 0),
        ({Column.TAKEN: 4, Column.RETURNED: 1}, 3, 0),
        ({}, 1, -1),
    ],
)
def test_imbalance_is_what_has_no_name(
    columns: dict[Column, float], in_flight: float, expected: float
) -> None:
    """A lost item is positive, one under two names negative; duplicates are never netted."""
    assert imbalance(columns, in_flight) == expected


def test_lane_counts_what_each_answer_says() -> None:
    """Delivered, dropped, rejected, dead-lettered and in flight, from five records."""
    books = Books()
    lane = books.lane()
    lane.admit(_entries(range(5)))

    lane.settle([0], ACCEPTED)
    lane.settle([1], Receipt(1, "no", dropped_items=1))
    lane.finish([2], {2: 2})
    lane.set_aside([3], Column.DEAD_LETTERED)

    assert [books.column(column) for column in OF_KAFKA] == [15, 3 + 1 + 1, 3, 1 + 2, 1, 0, 0]
    assert books.metrics.value("bridge_ledger_in_flight_items") == 3
    assert books.metrics.value("bridge_ledger_imbalance") == 0


def test_lane_counts_a_record_once() -> None:
    """What a stage finished by itself is not delivered again by the answer for the batch."""
    books = Books()
    lane = books.lane()
    lane.admit(_entries(range(2)))

    lane.finish([0], {0: 3})
    lane.settle([0, 1], Receipt(dropped_items=3))

    assert (books.column(Column.DROPPED), books.column(Column.DELIVERED)) == (6, 0)


def test_undecodable_record_counts_as_one_item() -> None:
    """Nobody knows how many it was to be, and it must not be invisible."""
    books = Books()
    lane = books.lane()
    lane.admit(_entries(range(1), items=0, fault=Malformed("odd")))

    lane.set_aside([0], Column.DEAD_LETTERED)

    assert (books.column(Column.CONSUMED), books.column(Column.DEAD_LETTERED)) == (1, 1)


def test_revoked_lane_returns_what_comes_again() -> None:
    """What a stage has at that moment may arrive twice; what was marked comes never."""
    books = Books()
    lane = books.lane()
    lane.admit(_entries(range(6)))
    chunk = lane.start_next()
    assert chunk is not None
    chunk.busy = True
    lane.mark([5])

    lane.close()
    lane.settle([0])

    assert books.column(Column.RETURNED) == 15
    assert books.column(Column.DROPPED) == 3
    assert books.column(Column.DUPLICATES) == 9
    assert books.column(Column.DELIVERED) == 0


def test_stages_never_drop_more_than_came() -> None:
    """A stage that makes three points of one and drops two has not dropped two of one."""
    books = Books()
    books.account.count(Column.CONSUMED, 1)

    books.account.settle(1, Receipt(2, "no", dropped_items=2, rejected_apart_items=1))

    assert (books.column(Column.DROPPED), books.column(Column.REJECTED)) == (1, 0)


@given(
    items=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    dropped=st.integers(0, 30),
    rejected=st.integers(0, 30),
    apart=st.integers(0, 30),
)
def test_shares_of_a_joined_batch_sum_up(
    items: list[int], dropped: int, rejected: int, apart: int
) -> None:
    """No sender is told of rejected items that may be his neighbour's; the ledger counts all."""
    told = shares(items, Receipt(rejected, "why", dropped, apart))

    total = sum(items)
    assert all(share.rejected_items == 0 for share in told)
    assert sum(share.dropped_items for share in told) == min(dropped, total)
    lost = sum(share.dropped_items + share.rejected_apart_items for share in told)
    assert lost == min(total, dropped + rejected + apart)
    for count, share in zip(items, told, strict=True):
        assert share.dropped_items + share.rejected_apart_items <= count


def test_shares_of_everything_taken_are_the_same_object() -> None:
    """The common case costs nothing."""
    assert all(share is ACCEPTED for share in shares([1, 2], ACCEPTED))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_account_balances_after_every_step_of_random_lives(seed: int) -> None:
    """Records read, answered, finished by stages, set aside, marked, revoked: in any order."""
    dice = random.Random(seed)
    books = Books()
    lanes = [books.lane() for _ in range(2)]
    read = [0, 0]
    for _ in range(60):
        index = dice.randrange(2)
        lane, known = lanes[index], range(read[index] + 2)
        some = [at for at in known if dice.random() < 0.3]
        step = dice.randrange(7)
        if step == 0:
            more = dice.randrange(4)
            lane.admit(_entries(range(read[index], read[index] + more), items=dice.randrange(5)))
            read[index] += 0 if lane.closed else more
        elif step == 1:
            lane.settle(some, Receipt(dice.randrange(4), "", dice.randrange(4), dice.randrange(2)))
        elif step == 2:
            lane.finish(some, {at: dice.randrange(6) for at in some})
        elif step == 3:
            lane.set_aside(some, dice.choice((Column.DEAD_LETTERED, Column.DROPPED)))
        elif step == 4:
            lane.mark(some)
        elif step == 5:
            chunk = lane.start_next()
            if chunk is not None:
                chunk.busy = dice.random() < 0.5
        elif dice.random() < 0.1:
            lane.close()
        assert books.metrics.value("bridge_ledger_imbalance") == 0


def test_account_made_again_asks_old_holders_as_long_as_they_live() -> None:
    """While a reload goes on, the old part of a name still holds items beside the new one."""
    books = Books()
    old = books.lane()
    old.admit(_entries(range(2)))

    new = Account(books.metrics, "receivers/kafka", Signal.TRACES, OF_KAFKA)
    assert (new.in_flight, books.metrics.value("bridge_ledger_imbalance")) == (6, 0)

    old.close()
    del old
    assert new.in_flight == 0
    assert books.column(Column.RETURNED) == 6


def test_accounts_have_their_columns() -> None:
    """Each kind of component has the columns of design rule 9.20 that apply to it."""
    assert Column.REFUSED in OF_OTLP
    assert Column.REJECTED in OF_GATHERING
    account = Account(RecordingMetrics(), "receivers/otlp", Signal.LOGS, OF_OTLP)
    account.count(Column.RECEIVED, 2)
    account.count(Column.ACKNOWLEDGED, 2)

    assert repr(account) == (
        "Account(receivers/otlp, logs: received 2, acknowledged 2, in flight 0)"
    )
