"""The three OTLP signals and what each calls its items."""

from enum import Enum


class Signal(Enum):
    """A kind of telemetry. The value is the Collector's spelling in configs and pipeline ids."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"

    # Members are single, and enum's own hash, written in Python, is slow on hot paths.
    __hash__ = object.__hash__

    @property
    def items(self) -> str:
        """The plural noun that the Collector's metric names use for one item of this signal."""
        return _ITEMS[self]


_ITEMS = {Signal.TRACES: "spans", Signal.METRICS: "metric_points", Signal.LOGS: "log_records"}
