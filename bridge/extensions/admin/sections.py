"""The parts of ``/api/status``, each from figures and details. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.core import View
from bridge.extensions.admin.figures import FigureBook
from bridge.extensions.admin.history import ITEMS, Rates
from bridge.flow import Column, imbalance

_RECEIVER = "bridge_kafka_receiver_"
_COLLECTOR = "otelcol_kafka_receiver_"
_TAIL = "otelcol_processor_tail_sampling_"

Troubles = Sequence[Mapping[str, Any]]

Json = dict[str, Any]


def receivers(book: FigureBook, rates: Rates) -> list[Json]:
    """What each receiver took and refused."""
    return [
        {
            "id": name,
            "accepted": _items(book, "otelcol_receiver_accepted", receiver=name),
            "refused": _items(book, "otelcol_receiver_refused", receiver=name)
            + _items(book, "otelcol_receiver_failed", receiver=name),
            "accepted_per_s": _round(rates.of("accepted", name)),
            "refused_per_s": _round(rates.of("refused", name)),
            "in_flight_bytes": book.total("bridge_receiver_in_flight_bytes", receiver=name)
            + book.total(f"{_RECEIVER}window_bytes", receiver=name),
            "in_flight_limit_bytes": book.total(
                "bridge_receiver_in_flight_limit_bytes", receiver=name
            ),
            "connections": book.total("bridge_receiver_connections", receiver=name),
            "requests": _by_outcome(book, name),
        }
        for name in _ids(book, "receiver", "otelcol_receiver_accepted")
    ]


def processors(book: FigureBook, rates: Rates) -> list[Json]:
    """What passed each processor that counts it."""
    incoming = "otelcol_processor_incoming_items"
    return [
        {
            "id": name,
            "incoming": book.total(incoming, processor=name),
            "outgoing": book.total("otelcol_processor_outgoing_items", processor=name),
            "incoming_per_s": _round(rates.of("incoming", name)),
            "outgoing_per_s": _round(rates.of("outgoing", name)),
        }
        for name in book.by_label(incoming, "processor")
    ] + [
        {"id": name, "dropped": dropped, "dropped_per_s": _round(rates.of("filtered", name))}
        for name, dropped in _filtered(book).items()
    ]


def exporters(book: FigureBook, rates: Rates) -> list[Json]:
    """What each exporter delivered."""
    return [
        {
            "id": name,
            "sent": _items(book, "otelcol_exporter_sent", exporter=name),
            "failed": _items(book, "otelcol_exporter_send_failed", exporter=name),
            "rejected": book.total("bridge_exporter_rejected_items", exporter=name),
            "sent_per_s": _round(rates.of("sent", name)),
            "failed_per_s": _round(rates.of("failed", name)),
            "retries": book.total("bridge_exporter_retries", exporter=name),
            "queued": book.total("otelcol_exporter_queue_size", exporter=name),
            "buffered_bytes": book.total("bridge_kafka_exporter_buffered_bytes", exporter=name),
        }
        for name in _ids(book, "exporter", "otelcol_exporter_sent")
    ]


def partitions(views: Sequence[View], book: FigureBook, rates: Rates) -> list[Json]:
    """Every assigned partition: how far behind it is, and what it does."""
    found: list[Json] = []
    for view in views:
        for component, details in view.details.items():
            receiver = component.partition("/")[2]
            for partition in details.get("partitions", ()):
                labels = {
                    "receiver": receiver,
                    "topic": partition["topic"],
                    "partition": str(partition["partition"]),
                }
                found.append(
                    {"receiver": receiver, "worker": view.worker, **partition}
                    | _partition_figures(book, rates, labels)
                )
    return sorted(found, key=lambda each: (each["receiver"], each["topic"], each["partition"]))


def _partition_figures(book: FigureBook, rates: Rates, labels: dict[str, str]) -> Json:
    whose = f"{labels['topic']}/{labels['partition']}"
    return {
        "lag_records": book.total(f"{_COLLECTOR}offset_lag", **labels),
        "lag_s": _round(book.total(f"{_RECEIVER}lag", **labels)),
        "records_per_s": _round(rates.of("records", whose)),
        "unfinished_records": book.total(f"{_RECEIVER}uncommitted_records", **labels),
        "oldest_unfinished_s": _round(book.total(f"{_RECEIVER}oldest_unfinished_age", **labels)),
        "window_bytes": book.total(f"{_RECEIVER}window_bytes", **labels),
    }


def waits_for(
    partition: Mapping[str, Any],
    pipelines: Mapping[str, Mapping[str, Sequence[str]]],
    troubles: Troubles,
) -> list[str]:
    """
    What is wrong behind the receiver of *partition*, where that may be why it does not go on.

    Args:
        troubles: Components that are not well: ``name`` and ``reason``.
    """
    if partition["state"] not in ("paused", "retrying") and partition["oldest_unfinished_s"] < 5:
        return []
    behind: set[str] = set()
    for name, pipeline in pipelines.items():
        if partition["receiver"] in pipeline.get("receivers", ()):
            behind |= {f"exporters/{id_}" for id_ in pipeline.get("exporters", ())}
            behind |= {f"processors/{id_}@{name}" for id_ in pipeline.get("processors", ())}
    return [f"{each['name']}: {each['reason']}" for each in troubles if each["name"] in behind]


def tail_sampling(book: FigureBook, rates: Rates) -> Json:
    """What waits for a decision, and what was decided by whom."""
    return {
        "stages": [
            {
                "processor": series.labels.get("processor", ""),
                "pipeline": series.labels.get("pipeline", ""),
                "worker": series.worker,
                "undecided_traces": series.value,
                **_stage_figures(book, kind, series.labels, series.worker),
            }
            for kind in ("tail_sampling", "groupbytrace")
            for series in book.series(f"bridge_processor_{kind}_undecided_traces")
        ],
        "policies": [
            {
                "policy": policy,
                "sampled": book.total(
                    f"{_TAIL}count_traces_sampled", policy=policy, sampled="true"
                ),
                "not_sampled": book.total(
                    f"{_TAIL}count_traces_sampled", policy=policy, sampled="false"
                ),
                "sampled_per_s": _round(rates.of("sampled", policy)),
                "errors": book.total(f"{_TAIL}sampling_policy_evaluation_error", policy=policy),
            }
            for policy in book.by_label(f"{_TAIL}count_traces_sampled", "policy")
        ],
        "decided": {
            "sampled": book.total(f"{_TAIL}global_count_traces_sampled", sampled="true"),
            "not_sampled": book.total(f"{_TAIL}global_count_traces_sampled", sampled="false"),
        },
    }


def _stage_figures(
    book: FigureBook, kind: str, labels: Mapping[str, str], worker: int | None
) -> Json:
    def level(name: str) -> float:
        return sum(
            series.value
            for series in book.series(f"bridge_processor_{kind}_{name}")
            if series.labels == labels and series.worker == worker
        )

    own = {key: labels.get(key, "") for key in ("processor", "pipeline")}
    early = f"bridge_processor_{kind}_early_decisions"
    return {
        "undecided_bytes": level("undecided_bytes"),
        "undelivered_bytes": level("undelivered_bytes"),
        "oldest_undecided_s": _round(level("oldest_undecided_age_seconds")),
        "early_decisions": {
            cause: total
            for cause in book.by_label(early, "cause")
            if (total := book.total(early, cause=cause, **own))
        },
    }


def dead_letters(views: Sequence[View], book: FigureBook, *, previews: bool) -> Json:
    """How many records were set aside and why, and the newest of them."""
    by_reason: dict[str, int] = {}
    latest: list[Json] = []
    for view in views:
        for component, details in view.details.items():
            shown = details.get("dead_letters")
            if shown:
                for reason, count in shown["by_reason"].items():
                    by_reason[reason] = by_reason.get(reason, 0) + count
                receiver = component.partition("/")[2]
                latest += [{"receiver": receiver, **one} for one in shown["latest"]]
    latest.sort(key=lambda letter: letter["at_s"], reverse=True)
    if not previews:
        latest = [{key: one[key] for key in one if key != "preview"} for one in latest]
    return {
        "records": book.total(f"{_RECEIVER}dead_letters"),
        "oversized_items": book.total("bridge_exporter_dead_lettered_items"),
        "by_reason": by_reason,
        "latest": latest[:20],
    }


def ledger(book: FigureBook) -> list[Json]:
    """Every account with its columns; `imbalance` is counted anew from what is shown."""
    accounts: dict[tuple[str, str], dict[Column, float]] = {}
    for series in book.series("bridge_ledger_items"):
        key = (series.labels["component"], series.labels["signal"])
        columns = accounts.setdefault(key, {})
        column = Column(series.labels["column"])
        columns[column] = columns.get(column, 0) + series.value
    told: list[Json] = []
    for (component, signal), columns in sorted(accounts.items(), key=lambda item: item[0]):
        in_flight = book.total("bridge_ledger_in_flight_items", component=component, signal=signal)
        told.append(
            {
                "component": component,
                "signal": signal,
                "columns": {column.value: count for column, count in columns.items()},
                "in_flight": in_flight,
                "imbalance": imbalance(columns, in_flight),
            }
        )
    return told


def _ids(book: FigureBook, label: str, prefix: str) -> list[str]:
    names: dict[str, None] = {}
    for items in ITEMS:
        names |= dict.fromkeys(book.by_label(f"{prefix}_{items}", label))
    return list(names)


def _items(book: FigureBook, prefix: str, **labels: str) -> float:
    return sum(book.total(f"{prefix}_{items}", **labels) for items in ITEMS)


def _by_outcome(book: FigureBook, receiver: str) -> dict[str, float]:
    name = "bridge_receiver_requests"
    return {
        outcome: count
        for outcome in book.by_label(name, "outcome")
        if (count := book.total(name, receiver=receiver, outcome=outcome))
    }


def _filtered(book: FigureBook) -> dict[str, float]:
    dropped: dict[str, float] = {}
    for noun in ("spans", "logs", "datapoints"):
        for name, count in book.by_label(
            f"otelcol_processor_filter_{noun}_filtered", "filter"
        ).items():
            dropped[name] = dropped.get(name, 0.0) + count
    return dropped


def _round(value: float) -> float:
    return round(value, 3)
