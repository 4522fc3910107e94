"""The document of ``/api/status``."""

from collections.abc import Sequence
from typing import Any

from bridge.core import Host, State, View
from bridge.extensions.admin import sections
from bridge.extensions.admin.figures import FigureBook
from bridge.extensions.admin.history import History

SCHEMA = 1
"""Grows when a field changes its meaning or goes; new fields do not count."""

EVENTS_MAX = 200


async def status_of(host: Host, history: History, *, previews: bool = True) -> dict[str, Any]:
    """
    Everything that the page shows, from all processes of the service.

    Rates are per second over the last ten seconds or so, counts since the start, ages in seconds.

    Args:
        previews: Whether dead letters show the beginning of their record.
    """
    views = await host.views()
    book = FigureBook(views)
    rates = history.rates(book)
    components = _components(host)
    troubles = [one for one in components if one["state"] not in _WELL]
    pipelines = host.pipelines()
    partitions = sections.partitions(views, book, rates)
    for partition in partitions:
        partition["waits_for"] = sections.waits_for(partition, pipelines, troubles)
    return {
        "schema": SCHEMA,
        "ready": host.ready(),
        "live": host.live(),
        "uptime_s": round(book.most("otelcol_process_uptime"), 3),
        "workers": sorted(view.worker for view in views if view.worker is not None),
        "memory_bytes": book.total("otelcol_process_memory_rss"),
        "cpu_s": round(book.total("otelcol_process_cpu_seconds"), 3),
        "pipelines": pipelines,
        "components": components,
        "receivers": sections.receivers(book, rates),
        "processors": sections.processors(book, rates),
        "exporters": sections.exporters(book, rates),
        "partitions": partitions,
        "tail_sampling": sections.tail_sampling(book, rates),
        "dead_letters": sections.dead_letters(views, book, previews=previews),
        "ledger": sections.ledger(book),
        "history": history.plots(),
        "events": _events(views),
    }


_WELL = (State.OK.value, State.STARTING.value)


def _components(host: Host) -> list[dict[str, Any]]:
    return [
        {"name": name, "state": status.state.value, "reason": status.reason, "hint": status.hint}
        for name, status in host.statuses().items()
    ]


def _events(views: Sequence[View]) -> list[Any]:
    events = [
        event if view.worker is None else {"worker": view.worker, **event}
        for view in views
        for event in view.events
    ]
    events.sort(key=lambda event: str(event.get("timestamp", "")))
    return events[-EVENTS_MAX:]
