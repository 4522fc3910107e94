"""Editors of histograms: from exponential to explicit buckets, and fewer buckets."""

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from bridge.ottl import schema
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Run
from bridge.ottl.functions.registry import function, maybe, need, several
from bridge.ottl.nodes import MetricNode
from bridge.ottl.signature import Kind

_Spread = Callable[[int, float, float, list[float], list[int]], None]


@function(
    "convert_exponential_histogram_to_histogram",
    need("distribution", Kind.TEXT),
    several("explicit_bounds", Kind.DECIMAL),
    contexts=("metric",),
)
def convert_exponential_histogram(distribution: str, explicit_bounds: list[float]) -> Run:
    """Make explicit buckets of exponential ones: upper, midpoint, random or uniform."""
    spread = _SPREADS.get(distribution or "random")
    if spread is None:
        raise ValueError(f"distribution {distribution!r} is none of {', '.join(_SPREADS)}")
    if not explicit_bounds:
        raise ValueError("explicit_bounds is empty")

    def run(cursor: Cursor) -> None:
        metric: MetricNode = cursor.item
        if metric.kind != "exponential_histogram":
            return
        metric.reset()
        old = metric.message
        new = schema.Metric(name=old.name, description=old.description, unit=old.unit)
        new.histogram.aggregation_temporality = old.exponential_histogram.aggregation_temporality
        for point in old.exponential_histogram.data_points:
            added = new.histogram.data_points.add()
            added.attributes.extend(point.attributes)
            added.exemplars.extend(point.exemplars)
            for field in ("start_time_unix_nano", "time_unix_nano", "count", "sum", "min", "max"):
                setattr(added, field, getattr(point, field))
            added.explicit_bounds.extend(explicit_bounds)
            added.bucket_counts.extend(_counts(point, explicit_bounds, spread))
        metric.message = new

    return run


def _counts(point: Any, bounds: list[float], spread: _Spread) -> list[int]:
    counts = [0] * len(bounds)
    factor = math.ldexp(math.log(2), -point.scale)
    if bounds[0] == 0:
        counts[0] += point.zero_count
    for place, count in enumerate(point.positive.bucket_counts):
        index = point.positive.offset + place
        upper, lower = _exp((index + 1) * factor), _exp(index * factor)
        if lower > bounds[-1]:
            counts[-1] += count
            continue
        for number in range(1, len(bounds)):
            if lower > bounds[number - 1] and upper <= bounds[number]:
                counts[number - 1] += count
                break
        else:
            spread(count, upper, lower, bounds, counts)
    return counts


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _spread_upper(
    count: int, upper: float, lower: float, bounds: list[float], counts: list[int]
) -> None:
    place = next((index for index, bound in enumerate(bounds) if upper <= bound), len(bounds) - 1)
    counts[place] += count


def _spread_midpoint(
    count: int, upper: float, lower: float, bounds: list[float], counts: list[int]
) -> None:
    middle = (upper + lower) / 2
    for index, bound in enumerate(bounds):
        if middle <= bound:
            counts[max(index - 1, 0)] += count
            return
    counts[-1] += count


def _overlap(upper: float, lower: float, bounds: list[float]) -> tuple[int, int]:
    """The first and last bound that a bucket reaches."""
    start = next((index for index, bound in enumerate(bounds) if lower <= bound), len(bounds))
    end = next(
        (index for index in range(start, len(bounds)) if upper <= bounds[index]), len(bounds)
    )
    return start, min(end, len(bounds) - 1)


def _spread_uniform(
    count: int, upper: float, lower: float, bounds: list[float], counts: list[int]
) -> None:
    start, end = _overlap(upper, lower, bounds)
    if end <= start:
        counts[start] += count
        return
    each, rest = divmod(count, end - start + 1)
    for index in range(start, end + 1):
        counts[index] += each + (1 if rest > 0 else 0)
        rest -= 1


def _spread_random(
    count: int, upper: float, lower: float, bounds: list[float], counts: list[int]
) -> None:
    start, end = _overlap(upper, lower, bounds)
    if end <= start:
        counts[start] += count
        return
    left = count
    for index in range(start, end + 1):
        below = lower if index == 0 else bounds[index - 1]
        width = min(bounds[index], upper) - max(below, lower)
        share = int(count * (width / (upper - lower)))
        drawn = int(random.random() * share)  # noqa: S311 - chance, no secret
        counts[index] += drawn
        left -= drawn
    # The rest falls anywhere; drawn at once, since a count may be in the billions.
    places = end - start + 1
    for index in range(start, end + 1):
        drawn = left if index == end else round(random.random() * 2 * left / places)  # noqa: S311 - chance, no secret
        drawn = min(drawn, left)
        counts[index] += drawn
        left -= drawn
        places -= 1


_SPREADS: dict[str, _Spread] = {
    "upper": _spread_upper,
    "midpoint": _spread_midpoint,
    "random": _spread_random,
    "uniform": _spread_uniform,
}

_REMOVE, _LIMIT = "remove_explicit_bound", "limit_buckets"
_CLOSE = 1e-12


@function(
    "merge_histogram_buckets",
    need("target_value", Kind.FLOAT_LIKE),
    maybe("method", Kind.TEXT),
    contexts=("datapoint",),
)
def merge_histogram_buckets(target_value: Expression, method: str = _REMOVE) -> Run:
    """Join the buckets beside a bound, or neighbours until there are at most so many."""
    if method not in (_REMOVE, _LIMIT):
        raise ValueError(f"method {method!r} is neither {_REMOVE} nor {_LIMIT}")
    if target_value.literal:
        try:
            _target(target_value.value, method)
        except OttlError as error:
            raise ValueError(str(error)) from None

    def run(cursor: Cursor) -> None:
        point = cursor.part.message
        if point.DESCRIPTOR.name != "HistogramPoint":
            return
        target = _target(target_value.get(cursor), method)
        bounds, counts = list(point.explicit_bounds), list(point.bucket_counts)
        if len(bounds) + 1 != len(counts) or len(counts) == 1:
            return
        merged = _remove(bounds, counts, target) if method == _REMOVE else None
        if method == _LIMIT:
            merged = _limit(bounds, counts, int(target))
        if merged is None:
            return
        point = cursor.part.writable()
        del point.explicit_bounds[:], point.bucket_counts[:]
        point.explicit_bounds.extend(merged[0])
        point.bucket_counts.extend(merged[1])

    return run


def _target(value: float | None, method: str) -> float:
    if value is None:
        raise OttlError("target_value must not be nil")
    if method == _LIMIT and (value < 1 or value != int(value) or value >= 2**63):
        raise OttlError(f"target_value must be a positive integer for {_LIMIT}")
    return value


def _remove(
    bounds: list[float], counts: list[int], target: float
) -> tuple[list[float], list[int]] | None:
    place = next((i for i, bound in enumerate(bounds) if abs(bound - target) < _CLOSE), None)
    if place is None:
        return None
    counts[place + 1] += counts[place]
    return bounds[:place] + bounds[place + 1 :], counts[:place] + counts[place + 1 :]


def _limit(
    bounds: list[float], counts: list[int], most: int
) -> tuple[list[float], list[int]] | None:
    if len(counts) <= most or any(b <= a for a, b in pairwise(bounds)):
        return None
    step = (len(counts) - 1) // most + 1
    joined = [sum(counts[start : start + step]) for start in range(0, len(counts), step)]
    return bounds[step - 1 :: step], joined
