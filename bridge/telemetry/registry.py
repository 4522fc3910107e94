"""The figures of one process: counters, histograms and gauges by name and labels."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from bridge.core import Counter, Histogram, Labels
from bridge.telemetry.table import METRICS, Kind, MetricSpec

Series = tuple[tuple[str, str], ...]
Figure = Counter | Histogram | Callable[[], float]
Readers = Mapping[tuple[str, Series], Callable[[], float]]


@dataclass(slots=True)
class Family:
    """All series of one metric."""

    spec: MetricSpec
    series: dict[Series, Figure] = field(default_factory=dict)


class MetricRegistry:
    """
    The `Metrics` that the service hands to components.

    Args:
        table:
            The names that may be asked for. A plugin's own metrics are added with `declare`.
        strict:
            Whether another name is a `KeyError`, as in tests. The service takes it into the
            table instead, without a meaning: a figure must never stop data.
    """

    def __init__(self, table: Mapping[str, MetricSpec] = METRICS, *, strict: bool = True) -> None:
        self._strict = strict
        self._families = {name: Family(spec) for name, spec in table.items()}

    def declare(self, spec: MetricSpec) -> None:
        """
        Add a name to the table, as a plugin does when it is built. Declaring it again is harmless.

        Raises:
            ValueError: If the name is taken by another kind of metric.
        """
        known = self._families.get(spec.name)
        if known is None:
            self._families[spec.name] = Family(spec)
        elif known.spec.kind is not spec.kind:
            raise ValueError(f"metric {spec.name} is already a {known.spec.kind.value}")

    def counter(self, name: str, labels: Labels | None = None) -> Counter:
        """The counter *name* with these labels; the same object each time."""
        figure = self._series(name, Kind.COUNTER).setdefault(_key(labels), Counter())
        assert isinstance(figure, Counter)  # noqa: S101 - the family holds one kind
        return figure

    def histogram(self, name: str, labels: Labels | None = None) -> Histogram:
        """The histogram *name* with these labels; the same object each time."""
        series, key = self._series(name, Kind.HISTOGRAM), _key(labels)
        figure = series.get(key)
        if figure is None:
            figure = series[key] = Histogram(self._families[name].spec.bounds)
        assert isinstance(figure, Histogram)  # noqa: S101 - the family holds one kind
        return figure

    def gauge(self, name: str, labels: Labels | None, read: Callable[[], float]) -> None:
        """Show what *read* returns from now on; for a counter it must never fall."""
        kind = Kind.COUNTER if self._is_counter(name) else Kind.GAUGE
        self._series(name, kind)[_key(labels)] = read

    def forget(self, name: str, labels: Labels | None = None) -> None:
        """Stop showing one series."""
        family = self._families.get(name)
        if family is not None:
            family.series.pop(_key(labels), None)

    def figure(self, name: str, labels: Labels | None = None) -> Figure | None:
        """What stands behind one series: a counter, a histogram or a reader."""
        family = self._families.get(name)
        return None if family is None else family.series.get(_key(labels))

    def readers(self) -> Readers:
        """Every series that is shown by a reader, to `restore` them."""
        return {
            (family.spec.name, key): figure
            for family in self._families.values()
            for key, figure in family.series.items()
            if not isinstance(figure, Counter | Histogram)
        }

    def restore(self, readers: Readers) -> None:
        """Show by readers what was shown when *readers* were taken, and nothing else."""
        for name, key in self.readers().keys() - readers.keys():
            del self._families[name].series[key]
        for (name, key), read in readers.items():
            self._families[name].series[key] = read

    def families(self) -> Iterator[Family]:
        """The metrics that have at least one series, in the order of the table."""
        return (family for family in self._families.values() if family.series)

    def value(self, name: str, labels: Labels | None = None) -> float:
        """One counter's or gauge's present value; 0 for a series that nobody asked for yet."""
        figure = self._families[name].series.get(_key(labels))
        if figure is None:
            return 0.0
        if isinstance(figure, Histogram):
            raise TypeError(f"{name} is a histogram")
        return float(figure.value if isinstance(figure, Counter) else figure())

    def _is_counter(self, name: str) -> bool:
        family = self._families.get(name)
        return family is not None and family.spec.kind is Kind.COUNTER

    def _series(self, name: str, kind: Kind) -> dict[Series, Figure]:
        family = self._families.get(name)
        if family is None and not self._strict:
            family = self._families[name] = Family(MetricSpec(name, kind, f"{name}."))
        if family is None:
            raise KeyError(f"metric {name} is not in the table bridge/telemetry/table.py")
        if family.spec.kind is not kind:
            raise TypeError(f"metric {name} is a {family.spec.kind.value}, not a {kind.value}")
        return family.series


def _key(labels: Labels | None) -> Series:
    return tuple(sorted(labels.items())) if labels else ()
