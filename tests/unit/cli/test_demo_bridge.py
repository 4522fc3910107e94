"""What the demo counts."""

from dataclasses import replace

from bridge.cli.demo import _rows
from bridge.cli.demo_bridge import Tally, count
from bridge.core import Signal
from bridge.kafka.embedded import StoredRecord
from bridge.testing import Made, trace_request
from bridge.testing.backend_book import Book, Received
from bridge.testing.sdk_traffic import Account

MADE = trace_request(2, 2, interleaved=False)


def _account(accepted: int = 4) -> Account:
    account = Account(sent_spans=set(MADE.span_ids))
    account.accepted_spans = set(MADE.span_ids[:accepted])
    account.accepted.update(traces=accepted, metrics=1, logs=1)
    return account


def _book(made: Made = MADE, times: int = 1) -> Book:
    book = Book()
    for _ in range(times):
        book.take(Received(made.signal, made.body, made.items, "grpc", {}), made.span_ids)
    book.items.update({Signal.LOGS: 1, Signal.METRICS: 1})
    return book


def _records(*partitions: int) -> list[StoredRecord]:
    return [StoredRecord(partition, 0, None, MADE.body) for partition in partitions]


def test_count_whole_run_is_ok() -> None:
    """Everything sent, accepted and delivered, in whole traces."""
    tally = count(_account(), _records(3), _book())

    assert tally.ok
    assert (tally.traces, tally.spans_out, tally.partitions) == (2, 4, 1)


def test_count_trace_in_two_partitions_is_split() -> None:
    """A trace with spans in two partitions is counted and spoils the run."""
    tally = count(_account(), _records(3, 4), _book())

    assert tally.traces_split == 2
    assert not tally.ok


def test_count_accepted_span_that_did_not_come_is_missing() -> None:
    """What the SDK was told is accepted must be at the backend."""
    tally = count(_account(), _records(3), _book(trace_request(1, 1, seed=9)))

    assert tally.spans_missing == 4
    assert not tally.ok


def test_count_second_delivery_is_a_duplicate_only() -> None:
    """Spans that come twice are told, and nothing is wrong with that."""
    tally = count(_account(), _records(3), _book(times=2))

    assert tally.spans_duplicate == 4
    assert tally.ok


def test_tally_of_nothing_is_not_ok() -> None:
    """A run that sent nothing proves nothing."""
    assert not count(Account(), [], Book()).ok


def test_rows_mark_what_is_wrong() -> None:
    """Exactly the figures that spoil a run are marked in the table."""
    good = count(_account(), _records(3), _book())
    wrong: dict[str, Tally] = {
        "spans acknowledged": replace(good, spans_accepted=3),
        "traces split over partitions": replace(good, traces_split=1),
        "spans missing": replace(good, spans_missing=1),
        "log records acknowledged / at the backend": replace(good, log_records_out=0),
        "metric points acknowledged / at the backend": replace(good, metric_points_out=0),
    }

    assert [what for what, _, bad in _rows(good) if bad] == []
    assert {
        row: [what for what, _, bad in _rows(tally) if bad] for row, tally in wrong.items()
    } == {row: [row] for row in wrong}
