"""What no decoder could take, or would take all memory, is refused before anybody decodes it."""

from collections.abc import Callable

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from bridge.core import Malformed, Signal, TooLarge
from bridge.wire import VALUE_DEPTH_LIMIT, VALUE_DEPTH_MAX, RequestLimits, count_items
from bridge.wire.count import count_in_python
from tests.unit.wire.nesting import PLACES, lists, maps
from tests.unit.wire.samples import REQUESTS, encode

LIMITS = RequestLimits()
COUNTS = (count_items, count_in_python)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("nested", [lists, maps])
def test_values_in_each_other_are_bounded_everywhere(
    count: Callable[[Signal, bytes, RequestLimits], int],
    place: str,
    nested: Callable[[int], AnyValue],
) -> None:
    """As deep as allowed is taken, one deeper is malformed, in both orders of fields."""
    signal, make = PLACES[place]
    for order in ("ascending", "descending"):
        fits = encode(REQUESTS[signal].FromString(make(nested(VALUE_DEPTH_MAX))), order)
        deeper = encode(REQUESTS[signal].FromString(make(nested(VALUE_DEPTH_MAX + 1))), order)

        assert count(signal, fits, LIMITS) == 1
        with pytest.raises(Malformed, match=f"more than {VALUE_DEPTH_MAX} deep"):
            count(signal, deeper, LIMITS)


@pytest.mark.parametrize("place", PLACES)
def test_deepest_value_that_may_be_allowed_can_be_decoded(place: str) -> None:
    """What the largest setting lets in does not fail in the official classes later."""
    signal, make = PLACES[place]
    for nested in (lists, maps):
        body = make(nested(VALUE_DEPTH_LIMIT))

        assert count_items(signal, body, RequestLimits(VALUE_DEPTH_LIMIT)) == 1
        assert REQUESTS[signal].FromString(body).SerializeToString() == body


@pytest.mark.parametrize("count", COUNTS)
def test_envelopes_without_items_are_bounded(
    count: Callable[[Signal, bytes, RequestLimits], int],
) -> None:
    """Two bytes each on the wire, and an object each for whoever splits them."""
    limits = RequestLimits(envelopes_max=100)
    span = b"\x0a\x04\x12\x02\x12\x00"

    assert count(Signal.TRACES, b"\x0a\x00" * 98 + span, limits) == 1
    with pytest.raises(TooLarge, match="more than 100 resources and scopes"):
        count(Signal.TRACES, b"\x0a\x00" * 99 + span, limits)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    "part",
    [
        pytest.param((11, b""), id="events"),
        pytest.param((9, b"\x12\x00" * 200), id="fields of an attribute"),
        pytest.param(
            (9, b"\x12\x88\x03\x2a\x85\x03" + b"\x0a\x00" * 194 + b"\x08"), id="in a list"
        ),
    ],
)
def test_fields_are_bounded_wherever_they_are(
    count: Callable[[Signal, bytes, RequestLimits], int], part: tuple[int, bytes]
) -> None:
    """A single span may not hold millions of objects either."""
    request = REQUESTS[Signal.TRACES]()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16)
    number, content = part
    size = len(content)
    framed = bytes([number << 3 | 2]) + (
        bytes([size & 0x7F | 0x80, size >> 7]) if size > 127 else bytes([size])
    )
    span = (framed + content) * (200 if not content else 1)
    scope = b"\x12" + bytes([len(span) & 0x7F | 0x80, len(span) >> 7]) + span
    group = b"\x12" + bytes([len(scope) & 0x7F | 0x80, len(scope) >> 7]) + scope
    body = b"\x0a" + bytes([len(group) & 0x7F | 0x80, len(group) >> 7]) + group

    assert count(Signal.TRACES, body, RequestLimits(fields_max=1000)) == 1
    with pytest.raises(TooLarge, match="more than 150 fields"):
        count(Signal.TRACES, body, RequestLimits(fields_max=150))


def test_limits_that_go_with_a_number_of_items() -> None:
    """Sixteen fields an item: a request of real spans has fewer."""
    assert RequestLimits.of(10, 3) == (3, 10, 160)
