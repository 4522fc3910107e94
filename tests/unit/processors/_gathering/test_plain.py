"""The compiled objects do what those in Python do."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.processors._gathering import native, plain

compiled: Any = native.compiled

pytestmark = pytest.mark.skipif(compiled is None, reason="the compiled forms were not built")


def play(form: Any, seed: int) -> list[object]:
    """What becomes of some batches under random moves, in one form."""
    dice = random.Random(seed)
    stirred: list[Any] = []
    seen: list[object] = []
    batches = [form.BatchCount(dice.randrange(1, 5), dice.random() < 0.2) for _ in range(2)]
    traces = [form.Trace(bytes([number]) * 16) for number in range(4)]
    for number, batch in enumerate(batches):
        for offset in range(batch.open_records):
            record = form.HeldRecord(
                batch, offset if dice.random() < 0.9 else -1, dice.randrange(2)
            )
            chunk = (b"x" * 50, b"", b"", record)
            for trace in dice.sample(traces, dice.randrange(4)):
                record.open += 1
                trace.add(chunk, 0, dice.randrange(50), dice.randrange(1, 4))
            form.release(record, stirred)
            if dice.random() < 0.1:
                record.error = ValueError(str(number))
    for trace in traces:
        if dice.random() < 0.3:
            context = trace.split_context()
            seen.append((repr(context), context.spans, context.size_bytes, context.ranges))
            form.dropped(context, stirred)
        seen.append((trace.own_spans, [where for where in trace.parts if isinstance(where, int)]))
    waiting, undelivered = list(traces), []
    while waiting or undelivered:
        if dice.random() < 0.05:
            dice.choice(batches).forgotten = True
        if waiting and dice.random() < 0.6:
            trace = waiting.pop()
            if dice.random() < 0.5:
                form.dropped(trace, stirred)
                trace.clear()
            else:
                form.kept(trace, stirred)
                undelivered.append(trace)
        elif undelivered:
            form.delivered([undelivered.pop()], stirred)
        seen.append([batches.index(batch) for batch in stirred])
        for batch in stirred:
            batch.stirred = False
        stirred.clear()
        seen += [
            (list(b.finished), dict(b.dropped), repr(b.error), b.open_records, b.undecided_records)
            for b in batches
        ]
    return [*seen, [batch.ended_records for batch in batches]]


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_compiled_moves_agree(seed: int) -> None:
    """Records are decided and finished at the same moves, whatever comes in what order."""
    assert play(plain, seed) == play(compiled, seed)


def test_compiled_objects_refuse_what_they_are_not_made_of() -> None:
    """A wrong type is told, and never followed."""
    trace, record = compiled.Trace(b"id"), compiled.HeldRecord(compiled.BatchCount(1), 0)
    for bad in (
        lambda: compiled.Trace("id"),
        lambda: compiled.HeldRecord(object(), 0),
        lambda: trace.add((b"", b"", b"", object()), 0, 0, 1),
        lambda: trace.add([b"", b"", b"", record], 0, 0, 1),
        lambda: compiled.kept(record, []),
        lambda: compiled.release(trace, []),
        lambda: compiled.dropped(trace, ()),
        lambda: compiled.delivered([record], []),
        lambda: compiled.request([record]),
    ):
        with pytest.raises(TypeError):
            bad()
    with pytest.raises(IndexError):
        trace.add((b"",), 0, 0, 1)
    assert trace.ranges == 0
    record.batch.finished = None
    with pytest.raises(TypeError):
        compiled.release(record, [])
