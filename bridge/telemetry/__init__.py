"""
What the bridge says of itself: logs, metrics and the endpoint that serves them.

`table` is the one list of metric names; `registry` keeps the figures; `exposition` turns them into
Prometheus text; `logs` sets structlog up.
"""

from bridge.telemetry.exposition import render
from bridge.telemetry.logs import LogOptions, configure_logging
from bridge.telemetry.registry import MetricRegistry
from bridge.telemetry.server import MetricsServer
from bridge.telemetry.table import METRICS, Kind, MetricSpec

__all__ = [
    "METRICS",
    "Kind",
    "LogOptions",
    "MetricRegistry",
    "MetricSpec",
    "MetricsServer",
    "configure_logging",
    "render",
]
