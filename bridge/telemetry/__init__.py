"""
What the bridge says of itself: logs, metrics and the endpoint that serves them.

`table` is the one list of metric names; `registry` keeps the figures; `exposition` turns them into
Prometheus text; `logs` sets structlog up.
"""

from bridge.telemetry.events import recent_events
from bridge.telemetry.exposition import render
from bridge.telemetry.gathering import Gathered, Snapshot, snapshot
from bridge.telemetry.logs import configure_logging
from bridge.telemetry.process import show_process
from bridge.telemetry.registry import MetricRegistry
from bridge.telemetry.server import MetricsServer
from bridge.telemetry.table import METRICS, SECTIONS, Kind, MetricSpec

__all__ = [
    "METRICS",
    "SECTIONS",
    "Gathered",
    "Kind",
    "MetricRegistry",
    "MetricSpec",
    "MetricsServer",
    "Snapshot",
    "configure_logging",
    "recent_events",
    "render",
    "show_process",
    "snapshot",
]
