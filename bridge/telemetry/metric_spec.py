"""What a row of the table of metrics is."""

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


ITEMS = ("spans", "metric_points", "log_records")
"""What a name with ``{items}`` in it is written once for."""

SIZES = (
    *(10, 25, 50, 75, 100, 250, 500, 750, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000),
    *(10_000, 20_000, 30_000, 50_000, 100_000),
)
SIZES_BYTES = (
    *(10, 25, 50, 75, 100, 250, 500, 750, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000),
    *(10_000, 20_000, 30_000, 50_000, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000),
    *(700_000, 800_000, 900_000, 1e6, 2e6, 3e6, 4e6, 5e6, 6e6, 7e6, 8e6, 9e6),
)
SECONDS = (0, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 25, 50)
AGES_S = (1, 2, 5, 10, 30, 60, 120, 180, 300, 600, 1800, 3600, 86_400)
MILLISECONDS = (
    *(1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2000, 3000, 4000, 5000),
    *(10_000, 20_000, 30_000, 50_000),
)

COUNTER, GAUGE, HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
Row = tuple[str, Kind, str, str, tuple[str, ...], tuple[float, ...]]


def row(
    name: str,
    kind: Kind,
    meaning: str,
    *labels: str,
    unit: str = "",
    bounds: tuple[float, ...] = (),
) -> Row:
    """One row; what stands behind the meaning are the names of its labels."""
    return name, kind, meaning, unit, labels, bounds
