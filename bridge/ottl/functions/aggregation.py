"""Editors that add up the points of a metric that have equal attributes."""

import statistics
from collections.abc import Callable
from typing import Any

from bridge.ottl.codec import decode_pairs
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Run
from bridge.ottl.functions.registry import function, need, several
from bridge.ottl.gotext import to_json
from bridge.ottl.nodes import MetricNode
from bridge.ottl.signature import Kind, truncated
from bridge.ottl.values import wrap

_DELTA = 1
_MEANS = ("sum", "mean", "min", "max", "median", "count")


def _check(aggregation: str) -> None:
    if aggregation not in _MEANS:
        raise ValueError(f"aggregation {aggregation!r} is none of {', '.join(_MEANS)}")


@function(
    "aggregate_on_attributes",
    need("aggregation_function", Kind.TEXT),
    several("attributes", Kind.TEXT, optional=True),
    contexts=("metric",),
)
def aggregate_on_attributes(aggregation_function: str, attributes: list[str] | None = None) -> Run:
    """Keep only some attributes of the points, and join the points that are then alike."""
    _check(aggregation_function)
    wanted = None if attributes is None else frozenset(attributes)
    answers: dict[bytes, bool] = {}

    def run(cursor: Cursor) -> None:
        metric: MetricNode = cursor.item
        if metric.kind == "summary":
            raise OttlError("a summary cannot be aggregated")
        if wanted is not None:
            for point in metric.points:
                point.attributes.keep(wanted.__contains__, answers)
        _merge(metric, aggregation_function)

    return run


@function(
    "aggregate_on_attribute_value",
    need("aggregation_function", Kind.TEXT),
    need("attribute", Kind.TEXT),
    several("values", Kind.TEXT),
    need("new_value", Kind.TEXT),
    contexts=("metric",),
)
def aggregate_on_attribute_value(
    aggregation_function: str, attribute: str, values: list[str], new_value: str
) -> Run:
    """Give several values of an attribute one name, and join the points that are then alike."""
    from bridge.ottl.attributes import Key

    _check(aggregation_function)
    key = Key(attribute)

    def run(cursor: Cursor) -> None:
        metric: MetricNode = cursor.item
        for point in metric.points:
            if point.attributes.find(key) < 0:
                continue
            found = point.attributes.get(key)
            if (found if type(found) is str else "") in values:
                point.attributes.set(key, new_value)
        _merge(metric, aggregation_function)

    return run


def _merge(metric: MetricNode, aggregation: str) -> None:
    kind = metric.kind
    if not kind or kind == "summary":
        return
    metric.reset()
    data = metric.data
    by_start = kind != "gauge" and data.aggregation_temporality == _DELTA
    groups: dict[str, list[Any]] = {}
    for point in data.data_points:
        groups.setdefault(_identity(point, kind, by_start=by_start), []).append(point)
    for points in groups.values():
        _JOIN[kind](points, aggregation)
    kept = [points[0] for points in groups.values()]
    copies = [type(point).FromString(point.SerializeToString()) for point in kept]
    del data.data_points[:]
    data.data_points.extend(copies)


def _identity(point: Any, kind: str, *, by_start: bool) -> str:
    """What two points must share to be joined."""
    parts: list[Any] = [decode_pairs(point.attributes), point.time_unix_nano]
    if kind == "histogram":
        parts += [list(point.explicit_bounds), point.HasField("min"), point.HasField("max")]
        parts.append(point.flags)
    elif kind == "exponential_histogram":
        parts += [point.scale, point.HasField("min"), point.HasField("max"), point.flags]
    if by_start:
        parts.append(point.start_time_unix_nano)
    return to_json(parts)


def _earliest(points: list[Any]) -> None:
    points[0].start_time_unix_nano = min(point.start_time_unix_nano for point in points)


def _join_numbers(points: list[Any], aggregation: str) -> None:
    first = points[0]
    kind = first.WhichOneof("value")
    if kind is None:
        return
    if kind == "as_double":
        values = [_double(point) for point in points]
        first.as_double = _aggregate(values, aggregation, lambda total, n: total / n)
    else:
        # A float among ints counts by its whole part, and in sums not at all.
        cut = [_whole(point) for point in points]
        if aggregation in ("sum", "mean"):
            cut = [point.as_int if point.WhichOneof("value") == "as_int" else 0 for point in points]
        first.as_int = wrap(int(_aggregate(cut, aggregation, _divide)))
    _earliest(points)


def _aggregate(values: list[Any], aggregation: str, divide: Callable[[Any, int], Any]) -> Any:
    if aggregation == "sum":
        return sum(values)
    if aggregation == "mean":
        return divide(sum(values), len(values))
    if aggregation == "min":
        return min(values)
    if aggregation == "max":
        return max(values)
    if aggregation == "count":
        # A single point keeps its value: the Collector counts from the second on.
        return type(values[0])(len(values)) if len(values) > 1 else values[0]
    ordered = sorted(values)
    if len(ordered) % 2:
        return statistics.median_low(ordered)
    middle = len(ordered) // 2
    return divide(ordered[middle - 1] + ordered[middle], 2)


def _divide(total: int, count: int) -> int:
    quotient = abs(total) // count
    return quotient if total >= 0 else -quotient


def _double(point: Any) -> float:
    kind = point.WhichOneof("value")
    return float(getattr(point, kind)) if kind else 0.0


def _whole(point: Any) -> int:
    kind = point.WhichOneof("value")
    if kind == "as_double":
        return truncated(point.as_double)
    return point.as_int if kind else 0


def _join_totals(first: Any, other: Any) -> None:
    """Add count and sum, widen min and max, take over exemplars."""
    first.count += other.count
    first.sum += other.sum
    if first.HasField("min") and first.min > other.min:
        first.min = other.min
    if first.HasField("max") and first.max < other.max:
        first.max = other.max
    first.exemplars.extend(other.exemplars)
    if other.start_time_unix_nano < first.start_time_unix_nano:
        first.start_time_unix_nano = other.start_time_unix_nano


def _join_histograms(points: list[Any], aggregation: str) -> None:
    first = points[0]
    for other in points[1:]:
        if other.count == 0:
            continue
        _join_totals(first, other)
        for index, count in enumerate(other.bucket_counts):
            if index < len(first.bucket_counts):
                first.bucket_counts[index] += count


def _join_exponential(points: list[Any], aggregation: str) -> None:
    first = points[0]
    for other in points[1:]:
        if other.count == 0:
            continue
        _join_totals(first, other)
        first.zero_count += other.zero_count
        _join_buckets(first.negative, other.negative)
        _join_buckets(first.positive, other.positive)


def _join_buckets(target: Any, source: Any) -> None:
    """Add the buckets of *source*, moved to a common offset."""
    if not source.bucket_counts:
        return
    if target.offset == source.offset:
        counts = list(target.bucket_counts)
        counts += [0] * (len(source.bucket_counts) - len(counts))
        for index, count in enumerate(source.bucket_counts):
            counts[index] += count
    elif source.offset < target.offset:
        # The Collector puts the lower buckets in front one by one, whatever the distance.
        counts = [count for count in source.bucket_counts if count] + list(target.bucket_counts)
        counts = _without_leading_zeros(counts)
        target.offset = source.offset
    else:
        counts = list(target.bucket_counts)
        shift = source.offset - target.offset
        for index, count in enumerate(source.bucket_counts):
            if count:
                counts += [0] * (index + shift + 1 - len(counts))
                counts[index + shift] += count
        counts = _without_leading_zeros(counts)
    del target.bucket_counts[:]
    target.bucket_counts.extend(counts)


BUCKETS_MAX = 100_000
"""Buckets of a joined histogram: an offset far off would ask for all memory."""


def _without_leading_zeros(counts: list[int]) -> list[int]:
    if len(counts) > BUCKETS_MAX:
        raise OttlError(f"a histogram may have {BUCKETS_MAX} buckets")
    start = next((index for index, count in enumerate(counts) if count), len(counts))
    return counts[start:]


_JOIN: dict[str, Callable[[list[Any], str], None]] = {
    "gauge": _join_numbers,
    "sum": _join_numbers,
    "histogram": _join_histograms,
    "exponential_histogram": _join_exponential,
}
