"""The look through a request in Python; `test_native` holds it against the compiled form."""

import pytest

from bridge.core import Malformed, Signal, TooLarge
from bridge.wire.limits import RequestLimits
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
