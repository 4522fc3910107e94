"""What becomes of OTTL errors: counters and log lines."""

from typing import Any

from structlog.testing import capture_logs

from bridge.ottl import ErrorMode, OttlError
from bridge.processors._faults import LOG_INTERVAL_S, STATEMENT_LENGTH_MAX, FaultReporter
from bridge.testing import ManualClock, RecordingMetrics, make_settings
from tests.unit.ottl.running import a_span, cursor_at

ERROR = OttlError("it failed")


def reporter(*texts: str) -> tuple[FaultReporter, ManualClock, RecordingMetrics]:
    """A reporter with a clock that is turned by hand."""
    clock, metrics = ManualClock(), RecordingMetrics()
    settings = make_settings("transform/x", clock=clock, metrics=metrics, pipeline="traces/p")
    return FaultReporter(settings, list(texts)), clock, metrics


def counted(metrics: RecordingMetrics, text: str) -> Any:
    """How often a statement failed."""
    return metrics.value("bridge_ottl_errors", processor="transform/x", statement=text)


def test_every_statement_has_its_series_at_once() -> None:
    """A dashboard sees zero before the first failure, not nothing."""
    found, _, metrics = reporter("a", "b")

    assert metrics.series("bridge_ottl_errors") == [
        {"processor": "transform/x", "statement": text} for text in ("a", "b")
    ]
    found.quiet("a", ERROR, cursor_at(b""))
    assert (counted(metrics, "a"), counted(metrics, "b")) == (1, 0)


async def test_loud_says_which_statement_and_trace() -> None:
    """Once in a while for each statement; every failure is counted."""
    found, clock, metrics = reporter("a", "b")
    cursor = cursor_at(a_span(trace_id=b"\xab" * 16))
    with capture_logs() as logs:
        for text in ("a", "a", "b"):
            found.loud(text, ERROR, cursor)
        await clock.advance(LOG_INTERVAL_S + 1)
        found.loud("a", ERROR, cursor)

    assert [entry["statement"] for entry in logs] == ["a", "b", "a"]
    assert logs[0]["trace_id"] == "ab" * 16
    assert logs[0]["error"] == "it failed"
    assert (logs[0]["processor"], logs[0]["pipeline"]) == ("transform/x", "traces/p")
    assert logs[2]["errors"] == counted(metrics, "a") == 3


def test_mode_decides_what_is_said() -> None:
    """Silent only counts."""
    found, _, metrics = reporter("a")
    with capture_logs() as logs:
        found.of(ErrorMode.SILENT)("a", ERROR, cursor_at(b""))
    assert logs == []

    for mode in (ErrorMode.IGNORE, ErrorMode.PROPAGATE):
        assert found.of(mode) == found.loud
    assert counted(metrics, "a") == 1


def test_label_of_a_long_statement_is_cut() -> None:
    """On one line, and not as long as people write."""
    text = "set(a,\n" + "x" * 500
    found, _, metrics = reporter(text)
    found.quiet(text, ERROR, cursor_at(b""))

    assert counted(metrics, ("set(a, " + "x" * 500)[:STATEMENT_LENGTH_MAX]) == 1


def test_item_without_a_trace_id_has_none() -> None:
    """A metric, or no item at all."""
    found, _, _ = reporter("a")
    cursor = cursor_at(b"")
    cursor.item = None
    with capture_logs() as logs:
        found.loud("a", ERROR, cursor)

    assert logs[0]["trace_id"] == ""
