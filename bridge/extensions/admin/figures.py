"""Figures of several processes, to be asked by name and labels. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.core import View


@dataclass(frozen=True, slots=True)
class Series:
    """One series of one process; `worker` is `None` for the process that answers."""

    labels: Mapping[str, str]
    value: float
    worker: int | None


class FigureBook:
    """The counters and gauges of *views*; histograms are left out."""

    def __init__(self, views: Sequence[View]) -> None:
        self._series: dict[str, list[Series]] = {}
        for view in views:
            for name, kind, _, _, labels, value in view.figures:
                if kind != "histogram":
                    self._series.setdefault(name, []).append(Series(labels, value, view.worker))

    def series(self, name: str) -> Sequence[Series]:
        """All series of *name*, none if nobody counts it."""
        return self._series.get(name, ())

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with *prefix*."""
        return (name for name in self._series if name.startswith(prefix))

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series of *name* that carry *labels*."""
        return sum(
            series.value
            for series in self.series(name)
            if all(series.labels.get(key) == value for key, value in labels.items())
        )

    def most(self, name: str) -> float:
        """The largest value of *name*; 0 if there is none."""
        return max((series.value for series in self.series(name)), default=0.0)

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """The sums of *name* by the value of one label."""
        sums: dict[str, float] = {}
        for series in self.series(name):
            key = series.labels.get(label, "")
            sums[key] = sums.get(key, 0.0) + series.value
        return sums
