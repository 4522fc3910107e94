"""What a trace is made of, in both forms."""

from typing import Any

import pytest

from bridge.processors._gathering import native, plain
from bridge.processors._gathering.scan import scan
from tests.unit.processors._gathering.conftest import request, trace_id

A = trace_id(1)
FORMS = [plain] if native.compiled is None else [plain, native.compiled]
both_forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


@both_forms
def test_trace_split_context_keeps_what_may_be_delivered(form: Any) -> None:
    """Ranges of records that were finished before are taken out, with their spans and bytes."""
    trace = form.Trace(A)
    for body, context in ((request((A, 1), (A, 2)), True), (request((A, 3)), False)):
        record = form.HeldRecord(form.BatchCount(1, context), 0)
        ((_, resource, scope, ((_, start, stop, spans),)),) = scan(body)
        trace.add((body, resource, scope, record), start, stop, spans)
    size = trace.size_bytes
    own = trace.own_spans
    context_trace = trace.split_context()

    assert (own, trace.spans, trace.ranges, context_trace.ranges) == (1, 1, 1, 1)
    assert (context_trace.spans, context_trace.own_spans) == (2, 0)
    assert size == trace.size_bytes * 3


@both_forms
def test_trace_lets_go_of_its_ranges(form: Any) -> None:
    """As many as there are; what they were in size is still known."""
    trace = form.Trace(A)
    record = form.HeldRecord(form.BatchCount(1), 0)
    for number in range(9):
        trace.add((b"body", b"", b"", record), number, number + 2, 1)
    parts = trace.parts
    trace.clear()

    assert [(b"body", b"", b"", record), 8, 10] == parts[-3:]
    assert (trace.parts, trace.ranges, trace.spans, trace.size_bytes) == ([], 0, 9, 18)


@both_forms
def test_trace_shows_its_state(form: Any) -> None:
    """The text names the id, the spans and whether it was decided."""
    trace = form.Trace(A)
    before = repr(trace)
    trace.decided = True

    assert f"Trace({A.hex()}, 0 spans, undecided)" == before
    assert f"Trace({A.hex()}, 0 spans, decided)" == repr(trace)
