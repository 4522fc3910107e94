"""Passing traces on as a whole."""

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.core import Batch, Deadline, Signal
from bridge.processors.groupbytrace import FACTORY, GroupByTraceOptions
from bridge.testing import FakeStage, ManualClock, make_settings, otlp_origin
from bridge.wire import count_items
from tests.unit.processors._gathering.conftest import request, spans_in, trace_id

A, B = trace_id(1), trace_id(2)


async def test_groupbytrace_passes_whole_traces_on() -> None:
    """Spans that came apart leave together, after the wait."""
    clock, downstream = ManualClock(), FakeStage()
    settings = make_settings("groupbytrace", clock=clock)
    stage = FACTORY.create(GroupByTraceOptions(), settings, Signal.TRACES, downstream)
    await stage.start()
    for body in (request((A, 1), (B, 2)), request((A, 3))):
        await stage.deliver(
            Batch(Signal.TRACES, body, count_items(Signal.TRACES, body), otlp_origin(clock))
        )
    await clock.advance(0.9)
    assert downstream.taken == []
    await clock.advance(0.5)

    assert sorted(span for batch in downstream.taken for span in spans_in(batch.body)) == [
        (A, 1),
        (A, 3),
        (B, 2),
    ]
    assert settings.metrics.value("otelcol_processor_groupbytrace_traces_released") == 2  # type: ignore[attr-defined]  # RecordingMetrics has it.
    await stage.stop(Deadline.after(1.0, clock))


async def test_groupbytrace_passes_a_late_span_on_by_itself() -> None:
    """A span that comes after its group begins another one."""
    clock, downstream = ManualClock(), FakeStage()
    settings = make_settings("groupbytrace", clock=clock)
    stage = FACTORY.create(GroupByTraceOptions(), settings, Signal.TRACES, downstream)
    await stage.start()
    for number in (1, 2):
        await stage.deliver(Batch(Signal.TRACES, request((A, number)), 1, otlp_origin(clock)))
        await clock.advance(1.5)

    assert [spans_in(batch.body) for batch in downstream.taken] == [[(A, 1)], [(A, 2)]]
    await stage.stop(Deadline.after(1.0, clock))


@pytest.mark.parametrize(
    "changes",
    [{"discard_orphans": True}, {"store_on_disk": True}, {"wait_duration": "0s"}],
)
def test_groupbytrace_refuses_what_is_not_there(changes: dict[str, Any]) -> None:
    """As the Collector does."""
    with pytest.raises(ValidationError):
        GroupByTraceOptions.model_validate(changes)
    GroupByTraceOptions.model_validate({"discard_orphans": False, "num_workers": 2})
