"""Every metric that the bridge shows, with unit, labels and meaning."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a figure is."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """
    One row of the table.

    `unit` is of the value, empty for plain counts; `bounds` are a histogram's inclusive upper
    limits.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


METRICS: dict[str, MetricSpec] = {}
"""The table, by name. Counters carry no ``_total``: see `bridge/telemetry/exposition.py`."""
