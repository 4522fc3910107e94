"""What a trace is made of."""

from bridge.processors._gathering.scan import scan
from bridge.processors._gathering.trace import HeldBatch, HeldRecord, Trace
from tests.unit.processors._gathering.conftest import request, trace_id

A = trace_id(1)


def test_trace_split_context_keeps_what_may_be_delivered() -> None:
    """Ranges of records that were finished before are taken out, with their spans and bytes."""
    trace = Trace(A)
    for body, context in ((request((A, 1), (A, 2)), True), (request((A, 3)), False)):
        record = HeldRecord(HeldBatch(None, 1, context=context), 0)
        ((_, resource, scope, ((_, start, stop, spans),)),) = scan(body)
        trace.parts += ((body, resource, scope, record), start, stop)
        trace.spans += spans
        trace.size_bytes += stop - start
    size = trace.size_bytes
    context_parts = trace.split_context()

    assert (trace.spans, len(trace.parts), len(context_parts)) == (1, 3, 3)
    assert size == trace.size_bytes * 3


def test_trace_shows_its_state() -> None:
    """The text names the id, the spans and whether it was decided."""
    assert f"Trace({A.hex()}, 0 spans, undecided)" == repr(Trace(A))
