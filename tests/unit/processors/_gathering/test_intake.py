"""What traces cost beside their bytes."""

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from bridge.processors._gathering.intake import RANGE_BYTES, TRACE_BYTES
from tests.unit.processors._gathering.conftest import Rig, request, trace_id


@pytest.mark.slow
@pytest.mark.parametrize("spans", [1, 8])
def test_intake_charges_what_traces_cost(rig: Callable[..., Rig], spans: int) -> None:
    """The account is near what Python allocates, for short traces and long ones."""
    own = rig()
    traces = 3_000
    bodies = [
        request(*((trace_id(number + 1), turn) for number in range(traces)))
        for turn in range(spans)
    ]
    gc.collect()
    tracemalloc.start()
    for body in bodies:
        own.records(body, at_ms=[0])
    gc.collect()
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    charged = own.engine.ledger.undecided_bytes - sum(len(body) for body in bodies)
    assert traces * (TRACE_BYTES + spans * RANGE_BYTES) == charged

    # The Python form of the scan shares the ints of neighbouring ranges, the compiled one does not.
    assert 0.7 < charged / allocated < 1.6
