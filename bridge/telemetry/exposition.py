"""Prometheus text from the figures of a process."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from bridge.core import Counter, Histogram
from bridge.telemetry.registry import Family, Figure, MetricRegistry
from bridge.telemetry.table import Kind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Label = tuple[str, str]

_NO_PART_OF_A_NAME = re.compile(r"[^a-zA-Z0-9_:]|^[0-9]")
_NO_PART_OF_A_LABEL = re.compile(r"[^a-zA-Z0-9_]|^[0-9]")


def render(metrics: MetricRegistry) -> bytes:
    """
    All figures in the text format 0.0.4.

    Counters carry no ``_total``: a Collector with its default reader shows
    ``otelcol_receiver_accepted_spans``, and dashboards ask for that name. A gauge whose reader
    fails is left out; a scrape never fails for one figure. Every series of a metric carries all of
    the metric's labels, empty where it has none of its own. A character that no name may hold, as a
    plugin could use it, is shown as an underscore.

    Source:
        Prometheus, "Exposition formats", text-based format; bridge/adr/0026-own-exposition.md.
    """
    lines: list[str] = []
    for family in metrics.families():
        lines += _family(family)
    return "".join(lines).encode()


def read_gauge(figure: Callable[[], float]) -> float | None:
    """The value of a gauge, or `None` if it cannot be read: no reason to show no others."""
    try:
        return float(figure())
    except Exception:  # noqa: BLE001 - see above
        return None


def _family(family: Family) -> Iterator[str]:
    spec = family.spec
    name = _NO_PART_OF_A_NAME.sub("_", spec.name)
    meaning = spec.meaning.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {meaning}\n"
    yield f"# TYPE {name} {spec.kind.value}\n"
    labels = sorted({label for series in family.series for label, _ in series})
    # To Prometheus a series without a label is the one that has it empty: the last counts.
    shown = {
        tuple(dict(series).get(label, "") for label in labels): figure
        for series, figure in family.series.items()
    }
    for values, figure in shown.items():
        pairs = list(zip(labels, values, strict=True))
        if spec.kind is Kind.HISTOGRAM:
            assert isinstance(figure, Histogram)  # noqa: S101 - the family holds one kind
            yield from _histogram(name, pairs, figure)
        else:
            yield from _number(name, pairs, figure)


def _number(name: str, labels: Sequence[_Label], figure: Figure) -> Iterator[str]:
    assert not isinstance(figure, Histogram)  # noqa: S101 - the family holds one kind
    value = figure.value if isinstance(figure, Counter) else read_gauge(figure)
    if value is not None:
        yield _line(name, labels, value)


def _histogram(name: str, labels: Sequence[_Label], histogram: Histogram) -> Iterator[str]:
    total = 0
    for bound, count in zip((*histogram.bounds, math.inf), histogram.counts, strict=True):
        total += count
        yield _line(f"{name}_bucket", sorted((*labels, ("le", _value(bound)))), total)
    yield _line(f"{name}_count", labels, total)
    yield _line(f"{name}_sum", labels, histogram.sum)


def _line(name: str, labels: Iterable[_Label], value: float) -> str:
    shown = ",".join(
        f'{_NO_PART_OF_A_LABEL.sub("_", label)}="{_escaped(text)}"' for label, text in labels
    )
    return f"{name}{{{shown}}} {_value(value)}\n" if shown else f"{name} {_value(value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _value(value: float) -> str:
    """A number as Go reads it: Python's own form, but for what is no finite number."""
    number = float(value)
    if math.isfinite(number):
        return repr(number)
    return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
