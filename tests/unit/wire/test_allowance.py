"""A small request cannot become gigabytes by being cut."""

from collections.abc import Callable

import pytest

from bridge.core import Signal, TooLarge
from bridge.wire import (
    Allowance,
    native,
    split_by_items,
    split_by_partition,
    split_by_size,
    split_by_trace,
    split_by_trace_and_size,
)
from tests.unit.wire.samples import REQUESTS

HEAD_BYTES = 20_000
SPANS = 200
COPIED_MAX = 1_000_000


def top_heavy(spans: int = SPANS) -> bytes:
    """A large resource above many small spans of as many traces."""
    request = REQUESTS[Signal.TRACES]()
    group = request.resource_spans.add()
    attribute = group.resource.attributes.add(key="a")
    attribute.value.string_value = "x" * HEAD_BYTES
    scope = group.scope_spans.add()
    for number in range(spans):
        scope.spans.add(trace_id=bytes([number + 1] * 16), span_id=b"12345678", name="s")
    body: bytes = request.SerializeToString()
    return body


def top_heavy_metric(points: int) -> bytes:
    """A metric with a long name and many points."""
    request = REQUESTS[Signal.METRICS]()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="n" * HEAD_BYTES)
    for number in range(points):
        metric.gauge.data_points.add(as_int=number)
    body: bytes = request.SerializeToString()
    return body


def in_python(body: bytes, copied_bytes_max: int) -> object:
    """By partition, each trace another."""
    place = lambda ids: [trace_id[0] for trace_id in ids]  # noqa: E731
    return split_by_partition(Signal.TRACES, body, place, copied_bytes_max)


CUTS: dict[str, Callable[[bytes, int], object]] = {
    "partition": in_python,
    "trace": lambda body, most: split_by_trace(Signal.TRACES, body, most),
    "items": lambda body, most: split_by_items(Signal.TRACES, body, 1, most),
    "size": lambda body, most: split_by_size(Signal.TRACES, body, HEAD_BYTES + 100, most),
    "size, all too large": lambda body, most: split_by_size(Signal.TRACES, body, 1000, most),
    "trace and size": lambda body, most: split_by_trace_and_size(
        Signal.TRACES, body, HEAD_BYTES + 100, most
    ),
}
if native.available():
    CUTS["compiled"] = lambda body, most: native.split(
        Signal.TRACES, body, 250, murmur2=False, copied_bytes_max=most
    )


@pytest.mark.parametrize("how", CUTS)
def test_top_heavy_request_is_too_large_to_be_cut(how: str) -> None:
    """However it is cut, the copies are bounded, and the text says what to do."""
    with pytest.raises(TooLarge, match="smaller batches or smaller resource attributes"):
        CUTS[how](top_heavy(), COPIED_MAX)


@pytest.mark.parametrize("how", CUTS)
def test_same_request_is_cut_where_its_copies_are_allowed(how: str) -> None:
    """The limit is the only reason to refuse it."""
    CUTS[how](top_heavy(), SPANS * HEAD_BYTES * 2)
    CUTS[how](top_heavy(20), COPIED_MAX)


@pytest.mark.skipif(not native.available(), reason="installed without a C compiler")
def test_joined_split_leaves_a_top_heavy_request_to_the_caller() -> None:
    """The caller finds out whose it is."""
    bodies = [top_heavy(2), top_heavy()]
    found = native.split_many(
        Signal.TRACES,
        bodies,
        ["small", "heavy"],
        250,
        murmur2=False,
        bytes_max=1_000_000,
        copied_bytes_max=COPIED_MAX,
    )

    assert found is None


def test_metric_with_a_long_name_is_cut_within_the_allowance() -> None:
    """Its name is an envelope too."""
    with pytest.raises(TooLarge):
        split_by_items(Signal.METRICS, top_heavy_metric(SPANS), 1, COPIED_MAX)
    with pytest.raises(TooLarge):
        split_by_size(Signal.METRICS, top_heavy_metric(SPANS), HEAD_BYTES + 60, COPIED_MAX)


def test_metric_whose_name_alone_is_too_large_stays_whole() -> None:
    """No cutting helps it, so it is not cut to pieces that all are too large."""
    fitting, oversize = split_by_size(Signal.METRICS, top_heavy_metric(SPANS), 1000, 0)

    assert fitting == []
    assert [piece.items for piece in oversize] == [SPANS]


def test_allowance_counts_the_request_itself_once() -> None:
    """Cutting without copies is free."""
    allowance = Allowance(100, 10)
    allowance.take(60)
    allowance.take(50)
    with pytest.raises(TooLarge, match="more than 10 bytes"):
        allowance.take(1)
