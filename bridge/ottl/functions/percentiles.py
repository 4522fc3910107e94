"""The percentile of a histogram as a gauge of its own."""

import math
from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Run
from bridge.ottl.functions.metrics import add_metric, copy_point, derived
from bridge.ottl.functions.registry import function, maybe, need
from bridge.ottl.nodes import MetricNode
from bridge.ottl.signature import Kind


@function(
    "extract_percentile_metric",
    need("percentile", Kind.DECIMAL),
    maybe("suffix", Kind.TEXT),
    contexts=("metric",),
)
def extract_percentile_metric(percentile: float, suffix: str = "") -> Run:
    """Add a gauge of a percentile of a histogram."""
    if not 0 < percentile < 100:
        raise ValueError(f"percentile {percentile:g} is not between 0 and 100")

    def run(cursor: Cursor) -> None:
        metric: MetricNode = cursor.item
        if metric.kind not in ("histogram", "exponential_histogram"):
            return
        metric.flush()
        new = derived(metric.message, suffix or f"_p{percentile:g}")
        label = f"p{percentile:g}".encode()
        description = metric.message.description
        new.description = description + b" (" + label + b")" if description else label
        new.gauge.SetInParent()
        estimate = _explicit if metric.kind == "histogram" else _exponential
        for point in metric.data.data_points:
            value = estimate(point, percentile)
            if value is not None:
                added = new.gauge.data_points.add()
                copy_point(point, added)
                added.as_double = value
        if new.gauge.data_points:
            add_metric(cursor, new)

    return run


def _rank(point: Any, percentile: float) -> int:
    count: int = point.count
    return math.ceil(count * (percentile / 100.0))


def _explicit(point: Any, percentile: float) -> float | None:
    counts, bounds = list(point.bucket_counts), list(point.explicit_bounds)
    if point.count == 0 or not counts:
        return None
    if len(counts) != len(bounds) + 1:
        raise OttlError(f"{len(counts)} buckets do not fit {len(bounds)} bounds")
    rank = _rank(point, percentile)
    if len(counts) == 1:
        if not point.HasField("min") or not point.HasField("max"):
            return None
        return _between(point.min, point.max, _ratio(rank, counts[0]))
    before = 0
    for index, count in enumerate(counts):
        if before + count >= rank:
            return _inside(point, bounds, index, _ratio(rank - before, count))
        before += count
    raise OttlError("the buckets hold less than the count says")


def _inside(point: Any, bounds: list[float], index: int, ratio: float) -> float:
    if index == 0:
        upper = bounds[0]
        if point.HasField("min") and point.min < upper:
            return _between(point.min, upper, ratio)
        return upper if upper < 0 else _between(0.0, upper, ratio)
    lower = bounds[index - 1]
    if index < len(bounds):
        return _between(lower, bounds[index], ratio)
    if not point.HasField("max") or point.max <= lower:
        return lower
    return _between(lower, point.max, ratio)


def _exponential(point: Any, percentile: float) -> float | None:
    negative, positive = list(point.negative.bucket_counts), list(point.positive.bucket_counts)
    if point.count == 0 or not (negative or positive or point.zero_count):
        return None
    rank, before = _rank(point, percentile), 0
    for place in range(len(negative) - 1, -1, -1):
        if before + negative[place] >= rank:
            ratio = _ratio(rank - before, negative[place])
            return -_within(point.negative.offset + place, point.scale, 1 - ratio)
        before += negative[place]
    if before + point.zero_count >= rank:
        low = 0.0 if positive and not negative else -point.zero_threshold
        high = 0.0 if negative and not positive else point.zero_threshold
        return _between(low, high, _ratio(rank - before, point.zero_count))
    before += point.zero_count
    for place, count in enumerate(positive):
        if before + count >= rank:
            ratio = _ratio(rank - before, count)
            return _within(point.positive.offset + place, point.scale, ratio)
        before += count
    raise OttlError("the buckets hold less than the count says")


def _ratio(part: int, whole: int) -> float:
    if whole == 0 or not 0 <= part <= whole:
        raise OttlError("the buckets do not fit the count")
    return part / whole


def _between(lower: float, upper: float, ratio: float) -> float:
    return lower + ratio * (upper - lower)


def _within(index: int, scale: int, ratio: float) -> float:
    """The value at a ratio of an exponential bucket, on a logarithmic scale."""
    lower, upper = _bound(index, scale), _bound(index + 1, scale)
    if not 0 < lower < upper < math.inf:
        raise OttlError("the bounds of a bucket are out of range")
    low, high = math.log2(lower), math.log2(upper)
    return float(2 ** (low + (high - low) * ratio))


def _bound(index: int, scale: int) -> float:
    try:
        if scale <= 0:
            return math.ldexp(1.0, index << -scale)
        return math.exp(index * math.ldexp(math.log(2), -scale))
    except OverflowError:
        return math.inf
