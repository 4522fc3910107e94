"""Editors of metrics: kinds, points that are joined, and metrics that are derived."""

from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from bridge.core import Signal
from bridge.ottl import Cursor, OttlError, OttlSyntaxError, Payload
from bridge.ottl.functions import FAMILIES, aggregation, histograms, metrics, percentiles
from tests.unit.ottl.running import cursor_at, run, value_of

DELTA, CUMULATIVE = 1, 2


def numbers(kind: str, *points: tuple[Any, dict[str, str]], temporality: int = DELTA) -> Metric:
    """A gauge or sum with such values and attributes."""
    metric = Metric(name="m", unit="s")
    data = getattr(metric, kind)
    if kind == "sum":
        data.aggregation_temporality = temporality
        data.is_monotonic = True
    for index, (value, attributes) in enumerate(points):
        point = data.data_points.add(time_unix_nano=9, start_time_unix_nano=index + 1)
        setattr(point, "as_double" if isinstance(value, float) else "as_int", value)
        for key, text in attributes.items():
            point.attributes.add(key=key).value.string_value = text
    return metric


def histogram(*counts: list[int], sums: bool = True) -> Metric:
    """A histogram with the bounds 1 and 2."""
    metric = Metric(name="m")
    metric.histogram.aggregation_temporality = CUMULATIVE
    for one in counts:
        point = metric.histogram.data_points.add(time_unix_nano=9, count=sum(one))
        point.bucket_counts.extend(one)
        point.explicit_bounds.extend([1.0, 2.0])
        if sums:
            point.sum = float(sum(one))
            point.min, point.max = 0.5, float(len(one))
    return metric


def exponential(counts: list[int], *, offset: int = 0, scale: int = 0) -> Metric:
    """An exponential histogram with one point."""
    metric = Metric(name="m")
    metric.exponential_histogram.aggregation_temporality = CUMULATIVE
    point = metric.exponential_histogram.data_points.add(time_unix_nano=9, scale=scale)
    point.count = sum(counts) + 1
    point.zero_count = 1
    point.sum = 10.0
    point.positive.offset = offset
    point.positive.bucket_counts.extend(counts)
    return metric


def summary() -> Metric:
    """A summary with two quantiles."""
    metric = Metric(name="m")
    point = metric.summary.data_points.add(time_unix_nano=9, count=3, sum=6.0)
    point.attributes.add(key="k").value.string_value = "v"
    for quantile in (0.5, 1.0):
        point.quantile_values.add(quantile=quantile, value=quantile * 10)
    return metric


def at(metric: Metric) -> Cursor:
    """A cursor at the metric."""
    return cursor_at(metric.SerializeToString(), Signal.METRICS)


def after(metric: Metric, *statements: str, context: str = "metric") -> list[Metric]:
    """All metrics there are after the statements."""
    cursor = at(metric)
    run(cursor, *statements, context=context)
    assert cursor.payload is not None
    payload = Payload(cursor.payload.dump(), Signal.METRICS)
    return [Metric.FromString(raw) for raw in payload.resources[0].scopes[0].raws]


def test_families_of_metrics_are_those_tested_here() -> None:
    """A module that is added to the family needs its tests."""
    assert set(FAMILIES["Metrics"]) == {metrics, aggregation, histograms, percentiles}


def test_gauge_becomes_a_sum_and_back() -> None:
    """The points stay; another kind is left alone."""
    gauge = numbers("gauge", (5, {"a": "x"}))
    (made,) = after(gauge, 'convert_gauge_to_sum("cumulative", true)')

    assert made.sum.data_points == gauge.gauge.data_points
    assert (made.sum.aggregation_temporality, made.sum.is_monotonic) == (CUMULATIVE, True)
    assert after(made, "convert_sum_to_gauge()") == [gauge]
    assert after(summary(), "convert_sum_to_gauge()") == [summary()]


@pytest.mark.parametrize(
    ("means", "value"),
    [("sum", 9), ("mean", 3), ("min", 1), ("max", 6), ("median", 2), ("count", 3)],
)
def test_points_that_are_alike_are_joined(means: str, value: int) -> None:
    """Ints stay ints, and the earliest start counts."""
    held = numbers(
        "sum",
        (1, {"a": "x", "b": "1"}),
        (2, {"a": "x", "b": "2"}),
        (6, {"a": "x"}),
        temporality=CUMULATIVE,
    )
    (made,) = after(held, f'aggregate_on_attributes("{means}", ["a"])')
    (point,) = made.sum.data_points

    assert (point.as_int, point.start_time_unix_nano) == (value, 1)
    assert [one.key for one in point.attributes] == ["a"]


def test_points_of_different_starts_stay_apart_in_deltas() -> None:
    """Their intervals are not the same."""
    held = numbers("sum", (1, {}), (2, {}), temporality=DELTA)

    assert len(after(held, 'aggregate_on_attributes("sum")')[0].sum.data_points) == 2


def test_floats_are_joined_as_floats() -> None:
    """Their mean is no whole number."""
    held = numbers("gauge", (1.0, {}), (2.0, {}))
    (made,) = after(held, 'aggregate_on_attributes("mean")')

    assert [point.as_double for point in made.gauge.data_points] == [1.5]


def test_histograms_are_added_up() -> None:
    """Bucket by bucket, with their sums, least and greatest."""
    (made,) = after(histogram([1, 2, 3], [1, 0, 1]), 'aggregate_on_attributes("sum")')
    (point,) = made.histogram.data_points

    assert list(point.bucket_counts) == [2, 2, 4]
    assert (point.count, point.sum, point.min, point.max) == (8, 8.0, 0.5, 3.0)


def test_values_of_an_attribute_become_one() -> None:
    """Others keep their name."""
    held = numbers("gauge", (1, {"a": "x"}), (2, {"a": "y"}), (4, {"a": "z"}))
    statement = 'aggregate_on_attribute_value("sum", "a", ["x", "y"], "xy")'
    (made,) = after(held, statement)

    assert [(p.attributes[0].value.string_value, p.as_int) for p in made.gauge.data_points] == [
        ("xy", 3),
        ("z", 4),
    ]


def test_metric_is_copied_under_another_name() -> None:
    """The original stays, and the copy does not change with it."""
    held = numbers("gauge", (1, {}))
    first, second = after(held, 'copy_metric(name="copy", unit="ms") where metric.name == "m"')

    assert (first, second.name, second.unit) == (held, "copy", "ms")
    assert second.gauge == held.gauge


def test_sum_and_count_are_extracted_from_histograms() -> None:
    """As metrics of their own, with a suffix."""
    found = after(
        histogram([1, 2, 3]),
        'extract_sum_metric(true) where metric.name == "m"',
        'extract_count_metric(false, ".n") where metric.name == "m"',
    )

    assert [metric.name for metric in found] == ["m", "m_sum", "m.n"]
    assert found[1].sum.data_points[0].as_double == 6.0
    assert (found[2].sum.data_points[0].as_int, found[2].sum.is_monotonic) == (6, False)
    assert len(after(histogram([1, 2, 3], sums=False), "extract_sum_metric(true)")) == 1
    with pytest.raises(OttlError):
        after(numbers("gauge", (1, {})), "extract_sum_metric(true)")


def test_summary_gives_its_parts() -> None:
    """Sum and count as sums, quantiles as a gauge with an attribute."""
    found = after(
        summary(),
        'convert_summary_sum_val_to_sum("delta", true)',
        'convert_summary_count_val_to_sum("delta", true)',
        context="datapoint",
    )
    (_, quantiles) = after(
        summary(), 'convert_summary_quantile_val_to_gauge("q", ".q") where metric.name == "m"'
    )

    assert [metric.name for metric in found] == ["m", "m_sum", "m_count"]
    assert found[1].sum.data_points[0].as_double == 6.0
    assert found[2].sum.data_points[0].as_int == 3
    assert quantiles.name == "m.q"
    assert [
        (p.as_double, {one.key: one.value.double_value for one in p.attributes}["q"])
        for p in quantiles.gauge.data_points
    ] == [(5.0, 0.5), (10.0, 1.0)]


def test_scaling_multiplies_every_number() -> None:
    """Ints become ints again, sums and bounds are scaled, counts are not."""
    (gauge,) = after(numbers("gauge", (2.5, {})), 'scale_metric(10.0, "ms")')
    (scaled,) = after(histogram([1, 2, 3]), "scale_metric(10.0)")
    point = scaled.histogram.data_points[0]

    assert (gauge.gauge.data_points[0].as_double, gauge.unit) == (25.0, "ms")
    assert (list(point.explicit_bounds), point.sum, point.count) == ([10.0, 20.0], 60.0, 6)


def test_exponential_histogram_becomes_one_with_bounds() -> None:
    """No observation is lost, whatever the distribution."""
    for distribution in ("upper", "midpoint", "uniform", "random"):
        statement = (
            f'convert_exponential_histogram_to_histogram("{distribution}", [1.0, 4.0, 16.0])'
        )
        (made,) = after(exponential([3, 4, 5], offset=0), statement)
        (point,) = made.histogram.data_points

        assert point.count == 13
        assert sum(point.bucket_counts) in (12, 13)
        assert list(point.explicit_bounds) == [1.0, 4.0, 16.0]


def test_buckets_are_merged() -> None:
    """The counts of both sides of a bound that goes are added."""
    (made,) = after(histogram([1, 2, 3]), "merge_histogram_buckets(1.0)", context="datapoint")
    (point,) = made.histogram.data_points

    assert (list(point.bucket_counts), list(point.explicit_bounds)) == ([3, 3], [2.0])


def test_percentile_is_between_least_and_greatest() -> None:
    """Of a histogram, as a gauge of its own."""
    _, made = after(
        histogram([10, 10, 0]), 'extract_percentile_metric(50.0) where metric.name == "m"'
    )
    (point,) = made.gauge.data_points

    assert 0.5 <= point.as_double <= 2.0


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('HasAttrKeyOnDatapoint("a")', True),
        ('HasAttrKeyOnDatapoint("b")', False),
        ('HasAttrOnDatapoint("a", "x")', True),
        ('HasAttrOnDatapoint("a", "y")', False),
        ('HasAttrOnDatapoint("b", "x")', False),
    ],
)
def test_metric_is_asked_for_its_points(text: str, answer: bool) -> None:
    """In conditions only."""
    from bridge.ottl import Conditions

    cursor = at(numbers("gauge", (1, {"a": "x"})))

    assert Conditions("metric", [text]).hold(cursor) is answer
    with pytest.raises(OttlSyntaxError):
        value_of(text, cursor, "metric")


@pytest.mark.parametrize(
    "statement",
    [
        'convert_gauge_to_sum("often", true)',
        'aggregate_on_attributes("product")',
        'convert_exponential_histogram_to_histogram("upper", [])',
        'convert_exponential_histogram_to_histogram("best", [1.0])',
        "extract_percentile_metric(101.0)",
    ],
)
def test_senseless_argument_is_refused_at_start(statement: str) -> None:
    """It can never work."""
    with pytest.raises(OttlSyntaxError):
        after(numbers("gauge", (1, {})), statement)


def test_aggregating_a_summary_fails() -> None:
    """It has nothing that can be added."""
    with pytest.raises(OttlError, match="summary"):
        after(summary(), 'aggregate_on_attributes("sum")')
