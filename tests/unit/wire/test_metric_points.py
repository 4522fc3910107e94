"""One metric cut into several."""

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from bridge.core import Malformed
from bridge.wire.metric_points import split_points


def metric(points: int) -> Metric:
    """A sum with everything set that must survive."""
    made = Metric(name="flour", unit="kg", description="milled")
    made.metadata.add(key="m").value.int_value = 1
    made.sum.is_monotonic, made.sum.aggregation_temporality = True, 2
    for number in range(points):
        made.sum.data_points.add(time_unix_nano=number)
    return made


def test_parts_hold_the_points_in_order_and_all_else_each() -> None:
    """First three, then two each."""
    parts = list(split_points(metric(8).SerializeToString(), first=3, others=2))
    decoded = [Metric.FromString(part) for part, _ in parts]

    assert [count for _, count in parts] == [3, 2, 2, 1]
    assert [p.time_unix_nano for one in decoded for p in one.sum.data_points] == list(range(8))
    for one in decoded:
        del one.sum.data_points[:]
        assert one == metric(0)


def test_metric_without_data_or_points_is_one_part() -> None:
    """It is kept as it is."""
    for one in (Metric(name="x"), metric(0)):
        ((part, count),) = split_points(one.SerializeToString(), first=3, others=2)
        assert Metric.FromString(part) == one
        assert count == 0


def test_broken_metric_is_malformed() -> None:
    """Nothing else comes out."""
    with pytest.raises(Malformed):
        list(split_points(b"\x0a\x7f", first=1, others=1))
