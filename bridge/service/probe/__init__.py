"""``otlp-bridge send``: synthetic traces through a running system, and a receipt for each."""

from bridge.service.probe.receipts import (
    HOPS,
    HopSummary,
    TraceReceipt,
    by_partition,
    faults,
    summarize,
)
from bridge.service.probe.route import Entrance, Group, Route, entrance_at, route_of
from bridge.service.probe.sending import Sent, Wanted, send_traces
from bridge.service.probe.traces import RUN_ATTRIBUTE, Made, make_trace

__all__ = [
    # The way.
    "route_of",
    "Route",
    "Group",
    "Entrance",
    "entrance_at",
    # What is sent.
    "make_trace",
    "Made",
    "RUN_ATTRIBUTE",
    "Wanted",
    "Sent",
    "send_traces",
    # What became of it.
    "HOPS",
    "TraceReceipt",
    "HopSummary",
    "summarize",
    "by_partition",
    "faults",
]
