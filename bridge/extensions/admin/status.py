"""The document of ``/api/status``."""

from typing import Any

from bridge.core import Host
from bridge.extensions.admin.figures import FigureBook
from bridge.extensions.admin.history import History

SCHEMA = 1
"""Grows when a field changes its meaning or goes; new fields do not count."""

EVENTS_MAX = 200


async def status_of(host: Host, history: History) -> dict[str, Any]:
    """Everything that the page shows, from all processes of the service."""
    views = await host.views()
    book = FigureBook(views)
    events = sorted(
        (event for view in views for event in view.events),
        key=lambda event: str(event.get("timestamp", "")),
    )
    return {
        "schema": SCHEMA,
        "ready": host.ready(),
        "live": host.live(),
        "uptime_s": book.most("otelcol_process_uptime"),
        "pipelines": host.pipelines(),
        "components": [
            {
                "name": name,
                "state": status.state.value,
                "reason": status.reason,
                "hint": status.hint,
            }
            for name, status in host.statuses().items()
        ],
        "history": history.plots(),
        "events": events[-EVENTS_MAX:],
    }
