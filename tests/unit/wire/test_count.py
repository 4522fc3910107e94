"""Counting items: the same numbers as the official classes, or `Malformed`."""

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.core import Malformed, Signal
from bridge.wire import count_items
from tests.unit.wire.samples import ORDERS, REQUESTS, encode, requests


def points(request: Any) -> int:
    """Data points as the official classes see them."""
    return sum(
        len(getattr(metric, metric.WhichOneof("data")).data_points)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.WhichOneof("data")
    )


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
@given(data=st.data(), order=st.sampled_from(ORDERS))
def test_count_of_any_request_equals_the_official_classes(data: st.DataObject, order: str) -> None:
    """Spans, log records and data points are counted right in both orders of fields."""
    for signal in Signal:
        request = data.draw(requests(signal))
        if signal is Signal.TRACES:
            expected = sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)
        elif signal is Signal.LOGS:
            expected = sum(len(s.log_records) for r in request.resource_logs for s in r.scope_logs)
        else:
            expected = points(request)

        assert expected == count_items(signal, encode(request, order))


def test_count_of_metric_with_two_kinds_takes_the_last() -> None:
    """A metric that carries two kinds of data holds the points of the last, as in protobuf."""
    request = REQUESTS[Signal.METRICS]()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.gauge.data_points.add()
    gauge = metric.SerializeToString()
    metric.sum.data_points.add()
    metric.sum.data_points.add()
    both = gauge + metric.SerializeToString()
    request.resource_metrics[0].scope_metrics[0].ClearField("metrics")
    scope = b"\x12" + bytes([len(both)]) + both
    resource = b"\x12" + bytes([len(scope)]) + scope
    body = b"\x0a" + bytes([len(resource)]) + resource

    assert points(REQUESTS[Signal.METRICS].FromString(body)) == count_items(Signal.METRICS, body)
    assert count_items(Signal.METRICS, body) == 2


@pytest.mark.parametrize("signal", Signal)
def test_count_of_broken_framing_is_malformed(signal: Signal) -> None:
    """A length that reaches beyond the end is refused."""
    with pytest.raises(Malformed):
        count_items(signal, b"\x0a\x7f\x00")


def test_count_of_span_with_broken_fields_is_malformed() -> None:
    """A span whose own fields are cut off is refused, although its envelope is whole."""
    with pytest.raises(Malformed):
        count_items(Signal.TRACES, b"\x0a\x06\x12\x04\x12\x02\x0a\x10")


@given(body=st.binary(max_size=200), signal=st.sampled_from(Signal))
def test_count_of_any_bytes_is_a_number_or_malformed(body: bytes, signal: Signal) -> None:
    """Nothing but `Malformed` ever comes out."""
    with contextlib.suppress(Malformed):
        assert count_items(signal, body) >= 0
