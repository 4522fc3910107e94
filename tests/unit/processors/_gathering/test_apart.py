"""The traces of one request."""

import pytest

from bridge.core import Malformed
from bridge.processors._gathering.apart import traces_of
from bridge.testing import trace_request


def test_request_is_taken_apart_by_trace() -> None:
    """Every span once, each range of its own bytes."""
    made = trace_request(3, 4)
    traces = traces_of(made.body)

    assert len(traces) == 3
    assert sum(spans for _, spans in traces.values()) == 12
    for trace_id, (parts, _) in traces.items():
        for chunk, start, stop in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            assert trace_id in chunk[0][start:stop]


def test_body_that_is_no_request_is_malformed() -> None:
    """Broken framing."""
    with pytest.raises(Malformed):
        traces_of(b"\x0a\xff")
