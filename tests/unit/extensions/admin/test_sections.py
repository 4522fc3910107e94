"""The parts of /api/status."""

from typing import Any

from bridge.core import View
from bridge.extensions.admin import sections
from bridge.extensions.admin.figures import FigureBook
from bridge.extensions.admin.history import History
from bridge.testing import ManualClock

Row = tuple[str, dict[str, str], float]


def _view(worker: int | None, *rows: Row, **details: Any) -> View:
    figures = [(name, "counter", "", (), labels, value) for name, labels, value in rows]
    return View(
        worker, figures, {name.replace("__", "/"): one for name, one in details.items()}, []
    )


async def _rates(before: list[View], after: list[View]) -> tuple[FigureBook, Any]:
    """The figures after two seconds, and what grew."""
    clock = ManualClock()
    history = History(clock)
    history.add(before)
    await clock.advance(2)
    book = FigureBook(after)
    return book, history.rates(book)


async def test_receivers_sum_signals_transports_and_processes() -> None:
    """Accepted and refused items, requests by outcome, and how fast they come."""
    grpc = {"receiver": "otlp", "transport": "grpc"}

    def rows(accepted: float) -> list[View]:
        return [
            _view(
                worker,
                ("otelcol_receiver_accepted_spans", grpc, accepted),
                ("otelcol_receiver_accepted_log_records", grpc, 1),
                ("otelcol_receiver_failed_spans", grpc, 2),
                ("bridge_receiver_requests", {**grpc, "outcome": "ok"}, 3),
                ("bridge_receiver_requests", {**grpc, "outcome": "denied"}, 0),
            )
            for worker in (0, 1)
        ]

    (told,) = sections.receivers(*await _rates(rows(10), rows(14)))

    assert (told["id"], told["accepted"], told["refused"]) == ("otlp", 30, 4)
    assert told["accepted_per_s"] == 4.0
    assert told["requests"] == {"ok": 6}


async def test_processors_tell_what_passed_and_what_was_filtered() -> None:
    """Those that count their ways, and filters by what they dropped."""
    views = [
        _view(
            None,
            ("otelcol_processor_incoming_items", {"processor": "batch"}, 9),
            ("otelcol_processor_outgoing_items", {"processor": "batch"}, 8),
            ("otelcol_processor_filter_logs_filtered", {"filter": "filter/x"}, 4),
            ("otelcol_processor_filter_spans_filtered", {"filter": "filter/x"}, 1),
        )
    ]

    batch, filtered = sections.processors(*await _rates(views, views))

    assert (batch["id"], batch["incoming"], batch["outgoing"]) == ("batch", 9, 8)
    assert (filtered["id"], filtered["dropped"], filtered["dropped_per_s"]) == ("filter/x", 5, 0.0)


async def test_exporters_tell_what_was_sent_and_rejected() -> None:
    """By exporter, whatever the signal."""
    views = [
        _view(
            None,
            ("otelcol_exporter_sent_spans", {"exporter": "otlp"}, 5),
            ("otelcol_exporter_sent_metric_points", {"exporter": "otlp"}, 2),
            ("bridge_exporter_rejected_items", {"exporter": "otlp", "signal": "traces"}, 1),
        )
    ]

    (told,) = sections.exporters(*await _rates([], views))

    assert (told["sent"], told["rejected"], told["sent_per_s"]) == (7, 1, 3.5)


async def test_partitions_join_state_and_figures_of_their_worker() -> None:
    """Sorted, with lag and age from the figures and the state from the receiver."""
    labels = {"receiver": "kafka", "topic": "spans", "partition": "10"}
    views = [
        _view(
            1,
            ("otelcol_kafka_receiver_offset_lag", labels, 7),
            ("bridge_kafka_receiver_oldest_unfinished_age", labels, 9.5),
            receivers__kafka={
                "partitions": [
                    {"topic": "spans", "partition": 10, "state": "flowing", "reason": ""},
                    {"topic": "spans", "partition": 2, "state": "holding", "reason": "odd"},
                ]
            },
        )
    ]
    book, rates = await _rates(views, views)

    first, second = sections.partitions(views, book, rates)

    assert (first["partition"], first["state"], first["lag_records"]) == (2, "holding", 0)
    assert (second["partition"], second["worker"], second["lag_records"]) == (10, 1, 7)
    assert second["oldest_unfinished_s"] == 9.5


def test_partition_that_stands_names_who_is_not_well_behind_it() -> None:
    """Only components of its own pipelines, and only while it does not go on."""
    pipelines = {
        "traces/a": {"receivers": ["kafka"], "processors": ["batch"], "exporters": ["otlp"]},
        "traces/b": {"receivers": ["otlp"], "processors": [], "exporters": ["nop"]},
    }
    troubles = [
        {"name": "exporters/otlp", "reason": "away"},
        {"name": "exporters/nop", "reason": "odd"},
        {"name": "processors/batch@traces/a", "reason": "full"},
    ]
    paused = {"receiver": "kafka", "state": "paused", "oldest_unfinished_s": 0}
    slow = {"receiver": "kafka", "state": "flowing", "oldest_unfinished_s": 6}
    sound = {"receiver": "kafka", "state": "flowing", "oldest_unfinished_s": 1}

    expected = ["exporters/otlp: away", "processors/batch@traces/a: full"]
    assert sections.waits_for(paused, pipelines, troubles) == expected
    assert sections.waits_for(slow, pipelines, troubles) == expected
    assert sections.waits_for(sound, pipelines, troubles) == []


async def test_tail_sampling_tells_stages_by_worker_and_policies_in_sum() -> None:
    """Undecided traces where they are, decisions of all."""
    own = {"processor": "tail_sampling", "pipeline": "traces"}
    decided = "otelcol_processor_tail_sampling_count_traces_sampled"
    views = [
        _view(
            worker,
            ("bridge_processor_tail_sampling_undecided_traces", own, 4 + worker),
            ("bridge_processor_tail_sampling_undecided_bytes", own, 100 + worker),
            (
                *("bridge_processor_tail_sampling_early_decisions",),
                {**own, "cause": "memory"},
                worker,
            ),
            (decided, {"policy": "errors", "sampled": "true"}, 2),
            (decided, {"policy": "errors", "sampled": "false"}, 5),
        )
        for worker in (0, 1)
    ]

    told = sections.tail_sampling(*await _rates(views, views))

    assert [
        (one["worker"], one["undecided_traces"], one["undecided_bytes"]) for one in told["stages"]
    ] == [
        (0, 4, 100),
        (1, 5, 101),
    ]
    assert told["stages"][0]["early_decisions"] == {"memory": 1}
    (policy,) = told["policies"]
    assert (policy["policy"], policy["sampled"], policy["not_sampled"]) == ("errors", 4, 10)


def test_dead_letters_of_all_receivers_newest_first() -> None:
    """With reasons summed; previews only where they may be shown."""

    def view(worker: int) -> View:
        letter = {"at_s": worker, "reason": "Malformed", "preview": "secret"}
        shown = {"by_reason": {"Malformed": 2}, "latest": [letter]}
        return _view(worker, receivers__kafka={"dead_letters": shown})

    views = [view(0), view(1)]
    told = sections.dead_letters(views, FigureBook(views), previews=True)
    hidden = sections.dead_letters(views, FigureBook(views), previews=False)

    assert told["by_reason"] == {"Malformed": 4}
    assert [letter["at_s"] for letter in told["latest"]] == [1, 0]
    assert told["latest"][0]["receiver"] == "kafka"
    assert "secret" not in str(hidden)


def test_ledger_sums_workers_and_counts_the_imbalance_anew() -> None:
    """What ended workers counted belongs to it."""
    who = {"component": "receivers/kafka", "signal": "traces"}
    views = [
        _view(None, ("bridge_ledger_items", {**who, "column": "returned"}, 2)),
        _view(
            0,
            ("bridge_ledger_items", {**who, "column": "consumed"}, 10),
            ("bridge_ledger_items", {**who, "column": "delivered"}, 5),
            ("bridge_ledger_in_flight_items", who, 2),
        ),
    ]

    (told,) = sections.ledger(FigureBook(views))

    assert told["columns"] == {"returned": 2, "consumed": 10, "delivered": 5}
    assert (told["in_flight"], told["imbalance"]) == (2, 1)
