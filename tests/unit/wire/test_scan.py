"""The look through a request in Python; `test_native` holds it against the compiled form."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Malformed, Signal, TooLarge
from bridge.wire import count_items
from bridge.wire.count import count_in_python
from bridge.wire.limits import UNLIMITED, RequestLimits
from bridge.wire.scan import check
from tests.unit.wire.nesting import PLACES, lists


@pytest.mark.parametrize("envelopes_max", [10, 100_000])
def test_check_walks_small_and_large_requests_to_the_same_end(envelopes_max: int) -> None:
    """The short cut for requests that cannot exceed a number changes nothing."""
    signal, make = PLACES["span"]
    limits = RequestLimits(3, envelopes_max, 100_000)
    check(signal, make(lists(3)), limits)
    with pytest.raises(Malformed, match="more than 3 deep"):
        check(signal, make(lists(4)), limits)


def test_check_of_groups_that_do_not_end_is_malformed() -> None:
    """Whatever is open at the end is broken, and so is an end of something else."""
    limits = RequestLimits(3, 1, 1)
    for body in (b"\x0b" * 40, b"\x0b\x14", b"\x0b\x08"):
        with pytest.raises(Malformed):
            check(Signal.TRACES, body, limits)
    with pytest.raises(TooLarge):
        check(Signal.TRACES, b"\x0b\x0c" * 3, limits)


@pytest.mark.parametrize("count", [count_items, count_in_python])
@pytest.mark.parametrize("limits", [UNLIMITED, RequestLimits(10, 20, 60), RequestLimits(10, 1, 1)])
@pytest.mark.parametrize(
    "body",
    [b"\x00\x00", b"\x0b\x00\x00\x0c", b"\x0b\x01" + bytes(8) + b"\x0c", b"\x0b\x02\x01a\x0c",
     b"\x0b\x03\x04\x0c", b"\x0b\x04\x0c", b"\x0b\x80\x80\x80\x80\x10\x00\x0c", b"\x0b\x05\x0c"],
)  # fmt: skip
def test_number_zero_is_taken_where_the_official_decoder_takes_it(
    count: Callable[..., int], limits: RequestLimits, body: bytes
) -> None:
    """Within groups only: in both forms and with every limit, or one refuses what another takes."""
    try:
        ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        with pytest.raises(Malformed):
            count(Signal.TRACES, body, limits)
    else:
        with suppress(TooLarge):
            assert count(Signal.TRACES, body, limits) == 0
