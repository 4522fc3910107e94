"""Splitting by size and number: limits hold exactly, and everything comes out."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.core import Signal
from bridge.wire import count_items, split_by_items, split_by_size, split_by_trace_and_size
from tests.unit.wire.samples import ORDERS, REQUESTS, encode, flat_items, merged, requests
from tests.unit.wire.test_count import points

slow = settings(suppress_health_check=[HealthCheck.too_slow], max_examples=80, deadline=None)


@slow
@given(
    data=st.data(),
    order=st.sampled_from(ORDERS),
    signal=st.sampled_from(Signal),
    items_max=st.integers(1, 6),
)
def test_split_by_items_respects_the_limit_and_loses_nothing(
    data: st.DataObject, order: str, signal: Signal, items_max: int
) -> None:
    """No part exceeds the limit, numbers are right, and only the last may be less than full."""
    request = data.draw(requests(signal))
    parts = split_by_items(signal, encode(request, order), items_max)

    assert all(items <= items_max for _, items in parts)
    assert all(items == items_max for _, items in parts[:-1])
    for body, items in parts:
        assert count_items(signal, body) == items
    whole = merged(signal, [body for body, _ in parts])
    if signal is Signal.METRICS:
        assert points(request) == points(whole)
    else:
        assert flat_items(signal, request) == flat_items(signal, whole)


@slow
@given(
    data=st.data(),
    order=st.sampled_from(ORDERS),
    signal=st.sampled_from((Signal.TRACES, Signal.LOGS)),
    bytes_max=st.integers(1, 300),
)
def test_split_by_size_respects_the_limit_and_loses_nothing(
    data: st.DataObject, order: str, signal: Signal, bytes_max: int
) -> None:
    """Parts fit; what does not fit is a single item; together they are the request."""
    request = data.draw(requests(signal))
    for split in (split_by_size, split_by_trace_and_size):
        fitting, oversize = split(signal, encode(request, order), bytes_max)

        assert all(len(piece.body) <= bytes_max for piece in fitting)
        assert all(len(piece.body) > bytes_max and piece.items == 1 for piece in oversize)
        assert all(count_items(signal, piece.body) == piece.items for piece in fitting)
        bodies = [piece.body for piece in fitting + oversize]
        assert flat_items(signal, request) == flat_items(signal, merged(signal, bodies))


def test_split_by_size_at_the_exact_size_of_a_span_keeps_it() -> None:
    """A span is refused at one byte less than it needs, and not before."""
    request = REQUESTS[Signal.TRACES]()
    span = request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"1" * 16)
    span.name = "x" * 500
    body = request.SerializeToString()
    fitting, oversize = split_by_size(Signal.TRACES, body * 3, len(body))

    assert [body] * 3 == [piece.body for piece in fitting]
    assert oversize == []
    assert len(split_by_size(Signal.TRACES, body * 3, len(body) - 1)[1]) == 3


def test_split_by_size_cuts_a_metric_by_its_points() -> None:
    """A metric that does not fit is spread over records, name and kind repeated."""
    request = REQUESTS[Signal.METRICS]()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="flour", unit="kg")
    metric.sum.is_monotonic = True
    for number in range(50):
        metric.sum.data_points.add(time_unix_nano=number, as_int=number)
    fitting, oversize = split_by_size(Signal.METRICS, request.SerializeToString(), 200)

    assert oversize == []
    assert all(len(piece.body) <= 200 for piece in fitting)
    whole = merged(Signal.METRICS, [piece.body for piece in fitting])
    metrics = [m for r in whole.resource_metrics for s in r.scope_metrics for m in s.metrics]
    assert {("flour", "kg", True)} == {(m.name, m.unit, m.sum.is_monotonic) for m in metrics}
    assert list(range(50)) == [p.time_unix_nano for m in metrics for p in m.sum.data_points]


def test_split_by_trace_and_size_keeps_traces_whole() -> None:
    """Records are cut between traces where traces fit."""
    request = REQUESTS[Signal.TRACES]()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(6):
        scope.spans.add(trace_id=bytes([number % 3 + 1]) * 16, name="x" * 50)
    fitting, oversize = split_by_trace_and_size(Signal.TRACES, request.SerializeToString(), 200)
    found = [
        {
            span.trace_id[0]
            for resource in merged(Signal.TRACES, [piece.body]).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }
        for piece in fitting
    ]

    assert [{1}, {2}, {3}] == found
    assert oversize == []
