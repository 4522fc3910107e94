"""Editors that convert, copy and scale metrics."""

from collections.abc import Callable, Iterable
from typing import Any

from bridge.ottl import schema
from bridge.ottl.attributes import Key
from bridge.ottl.codec import split_raw
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get, Run
from bridge.ottl.functions.registry import function, maybe, need
from bridge.ottl.nodes import MetricNode
from bridge.ottl.signature import Kind, truncated

ADDED_MAX = 10_000
"""Metrics of one scope, so that a copy without a condition, which copies its copies, ends."""

_TEMPORALITY = {"delta": 1, "cumulative": 2}
_CUMULATIVE = 2


def temporality(name: str) -> int:
    """
    The number of a temporality.

    Raises:
        ValueError: If it is neither delta nor cumulative.
    """
    if name not in _TEMPORALITY:
        raise ValueError(f"temporality {name!r} is neither delta nor cumulative")
    return _TEMPORALITY[name]


def add_metric(cursor: Cursor, message: Any) -> None:
    """
    Put a new metric behind the others of its scope.

    Raises:
        OttlError: If the scope has `ADDED_MAX` metrics.
    """
    items = cursor.scope.items
    if len(items) >= ADDED_MAX:
        raise OttlError(f"a scope may have {ADDED_MAX} metrics")
    items.append(MetricNode(message.SerializeToString()))


def derived(metric: Any, suffix: str) -> Any:
    """A new metric with the name, description and unit of *metric*."""
    return schema.Metric(
        name=metric.name + suffix.encode("utf-8", "surrogateescape"),
        description=metric.description,
        unit=metric.unit,
    )


def copy_point(source: Any, target: Any) -> None:
    """Give *target* the attributes and times of *source*."""
    target.attributes.extend(source.attributes)
    target.start_time_unix_nano = source.start_time_unix_nano
    target.time_unix_nano = source.time_unix_nano


@function(
    "convert_gauge_to_sum",
    need("aggregation_temporality", Kind.TEXT),
    need("is_monotonic", Kind.FLAG),
    contexts=("metric",),
)
def convert_gauge_to_sum(aggregation_temporality: str, is_monotonic: bool) -> Run:
    """Make a sum of a gauge."""
    number = temporality(aggregation_temporality)

    def run(cursor: Cursor) -> None:
        metric: MetricNode = cursor.item
        if metric.kind == "gauge":
            metric.reset()
            message = metric.message
            points = list(message.gauge.data_points)
            message.sum.aggregation_temporality = number
            message.sum.is_monotonic = is_monotonic
            message.sum.data_points.extend(points)

    return run


@function("convert_sum_to_gauge", contexts=("metric",))
def convert_sum_to_gauge() -> Run:
    """Make a gauge of a sum."""

    def run(cursor: Cursor) -> None:
        metric: MetricNode = cursor.item
        if metric.kind == "sum":
            metric.reset()
            message = metric.message
            points = list(message.sum.data_points)
            message.gauge.SetInParent()
            message.gauge.data_points.extend(points)

    return run


@function(
    "copy_metric",
    maybe("name", Kind.STRING),
    maybe("description", Kind.STRING),
    maybe("unit", Kind.STRING),
    contexts=("metric",),
)
def copy_metric(
    name: Expression | None = None,
    description: Expression | None = None,
    unit: Expression | None = None,
) -> Run:
    """Copy the metric, with another name, description or unit."""
    changes = {"name": name, "description": description, "unit": unit}

    def run(cursor: Cursor) -> None:
        copy = schema.Metric.FromString(cursor.item.dump())
        for field, value in changes.items():
            if value is not None:
                setattr(copy, field, value.get(cursor).encode("utf-8", "surrogateescape"))
        add_metric(cursor, copy)

    return run


def _extraction(
    name: str, suffix: str, *, monotonic: bool, fill: Callable[[Any, Any], bool], unit: bytes | None
) -> Run:
    """Make a sum of one figure of each point of a histogram or summary."""

    def run(cursor: Cursor) -> None:
        metric: MetricNode = cursor.item
        kind = metric.kind
        if kind not in ("histogram", "exponential_histogram", "summary"):
            raise OttlError(f"{name} takes histograms and summaries, not a {kind or 'metric'}")
        metric.flush()
        number = _CUMULATIVE if kind == "summary" else metric.data.aggregation_temporality
        if number == 0:
            raise OttlError(f"{name} needs a histogram with a temporality")
        new = derived(metric.message, suffix)
        if unit is not None:
            new.unit = unit
        new.sum.aggregation_temporality = number
        new.sum.is_monotonic = monotonic
        for point in metric.data.data_points:
            added = new.sum.data_points.add()
            if fill(point, added):
                copy_point(point, added)
            else:
                del new.sum.data_points[-1]
        if new.sum.data_points:
            add_metric(cursor, new)

    return run


def _fill_sum(point: Any, added: Any) -> bool:
    if point.DESCRIPTOR.name != "SummaryPoint" and not point.HasField("sum"):
        return False
    added.as_double = point.sum
    return True


def _fill_count(point: Any, added: Any) -> bool:
    added.as_int = point.count if point.count < 2**63 else point.count - 2**64
    return True


@function(
    "extract_sum_metric",
    need("monotonic", Kind.FLAG),
    maybe("suffix", Kind.TEXT),
    contexts=("metric",),
)
def extract_sum_metric(monotonic: bool, suffix: str = "_sum") -> Run:
    """Add a sum of the sums of a histogram or summary."""
    return _extraction("extract_sum_metric", suffix, monotonic=monotonic, fill=_fill_sum, unit=None)


@function(
    "extract_count_metric",
    need("monotonic", Kind.FLAG),
    maybe("suffix", Kind.TEXT),
    contexts=("metric",),
)
def extract_count_metric(monotonic: bool, suffix: str = "_count") -> Run:
    """Add a sum of the counts of a histogram or summary."""
    return _extraction(
        "extract_count_metric", suffix, monotonic=monotonic, fill=_fill_count, unit=b"1"
    )


def _from_summary(
    aggregation_temporality: str, suffix: str, *, monotonic: bool, fill: Callable[[Any, Any], Any]
) -> Run:
    number = temporality(aggregation_temporality)

    def run(cursor: Cursor) -> None:
        metric: MetricNode = cursor.item
        if metric.kind != "summary":
            return
        metric.flush()
        new = derived(metric.message, suffix)
        new.sum.aggregation_temporality = number
        new.sum.is_monotonic = monotonic
        for point in metric.data.data_points:
            added = new.sum.data_points.add()
            copy_point(point, added)
            fill(point, added)
        add_metric(cursor, new)

    return run


@function(
    "convert_summary_sum_val_to_sum",
    need("aggregation_temporality", Kind.TEXT),
    need("is_monotonic", Kind.FLAG),
    maybe("suffix", Kind.TEXT),
    contexts=("datapoint",),
)
def convert_summary_sum_val_to_sum(
    aggregation_temporality: str,
    is_monotonic: bool,
    suffix: str = "_sum",
) -> Run:
    """Add a sum of the sums of a summary."""
    return _from_summary(aggregation_temporality, suffix, monotonic=is_monotonic, fill=_fill_sum)


@function(
    "convert_summary_count_val_to_sum",
    need("aggregation_temporality", Kind.TEXT),
    need("is_monotonic", Kind.FLAG),
    maybe("suffix", Kind.TEXT),
    contexts=("datapoint",),
)
def convert_summary_count_val_to_sum(
    aggregation_temporality: str,
    is_monotonic: bool,
    suffix: str = "_count",
) -> Run:
    """Add a sum of the counts of a summary."""
    return _from_summary(aggregation_temporality, suffix, monotonic=is_monotonic, fill=_fill_count)


@function(
    "convert_summary_quantile_val_to_gauge",
    maybe("attribute_key", Kind.TEXT),
    maybe("suffix", Kind.TEXT),
    contexts=("metric",),
)
def convert_summary_quantile_val_to_gauge(
    attribute_key: str = "quantile", suffix: str = ".quantiles"
) -> Run:
    """Add a gauge of the quantiles of a summary."""
    key = Key(attribute_key)

    def run(cursor: Cursor) -> None:
        metric: MetricNode = cursor.item
        if metric.kind != "summary":
            return
        metric.flush()
        new = derived(metric.message, suffix)
        new.gauge.SetInParent()
        for point in metric.data.data_points:
            for quantile in point.quantile_values:
                added = new.gauge.data_points.add()
                copy_point(point, added)
                added.as_double = quantile.value
                kept = [pair for pair in added.attributes if split_raw(pair)[0] != key.name]
                del added.attributes[:]
                added.attributes.extend([*kept, key.pair(quantile.quantile)])
        add_metric(cursor, new)

    return run


@function(
    "scale_metric",
    need("multiplier", Kind.DECIMAL),
    maybe("unit", Kind.STRING),
    contexts=("metric",),
)
def scale_metric(multiplier: float, unit: Expression | None = None) -> Run:
    """Multiply all figures of a metric, and give it another unit."""

    def run(cursor: Cursor) -> None:
        new_unit = None if unit is None else unit.get(cursor)
        metric: MetricNode = cursor.item
        kind = metric.kind
        if kind in ("", "exponential_histogram"):
            raise OttlError(f"scale_metric does not take a {kind or 'metric without points'}")
        metric.reset()
        points = metric.data.data_points
        if kind == "histogram":
            _scale_histogram(points, multiplier)
        elif kind == "summary":
            _scale_summary(points, multiplier)
        else:
            for point in points:
                _scale_value(point, multiplier)
        if new_unit is not None:
            metric.message.unit = new_unit.encode("utf-8", "surrogateescape")

    return run


def _scale_value(holder: Any, multiplier: float) -> None:
    kind = holder.WhichOneof("value")
    if kind == "as_int":
        holder.as_int = truncated(holder.as_int * multiplier)
    elif kind == "as_double":
        holder.as_double *= multiplier


def _scale_summary(points: Iterable[Any], multiplier: float) -> None:
    for point in points:
        point.sum *= multiplier
        for quantile in point.quantile_values:
            quantile.value *= multiplier


def _scale_histogram(points: Iterable[Any], multiplier: float) -> None:
    for point in points:
        for field in ("sum", "min", "max"):
            if point.HasField(field):
                setattr(point, field, getattr(point, field) * multiplier)
        bounds = [bound * multiplier for bound in point.explicit_bounds]
        del point.explicit_bounds[:]
        point.explicit_bounds.extend(bounds)
        exemplars = []
        for raw in point.exemplars:
            exemplar = schema.Exemplar.FromString(raw)
            _scale_value(exemplar, multiplier)
            exemplars.append(exemplar.SerializeToString())
        del point.exemplars[:]
        point.exemplars.extend(exemplars)


def _points_with(cursor: Cursor, key: Key) -> Any:
    """The value of *key* at the first point that has it; `None` if no point has."""
    if not cursor.item.kind:
        raise OttlError("the metric has no points")
    for point in cursor.item.points:
        if point.attributes.find(key) >= 0:
            return (point.attributes.get(key),)
    return None


@function(
    "HasAttrKeyOnDatapoint", need("key", Kind.TEXT), contexts=("metric",), in_statements=False
)
def has_attr_key_on_datapoint(key: str) -> Get:
    """Whether a point of the metric has an attribute."""
    wanted = Key(key)
    return lambda cursor: _points_with(cursor, wanted) is not None


@function(
    "HasAttrOnDatapoint",
    need("key", Kind.TEXT),
    need("expected_val", Kind.TEXT),
    contexts=("metric",),
    in_statements=False,
)
def has_attr_on_datapoint(key: str, expected_val: str) -> Get:
    """Whether the first point that has an attribute has it with this text."""
    wanted = Key(key)

    def get(cursor: Cursor) -> bool:
        found = _points_with(cursor, wanted)
        if found is None:
            return False
        # Go reads other types as an empty text.
        return (found[0] if type(found[0]) is str else "") == expected_val

    return get
