"""What becomes of OTTL errors: a counter for each statement and a log line now and then."""

from typing import Any

import structlog

from bridge.core import Counter, Settings
from bridge.flow import Seldom
from bridge.ottl import Cursor, ErrorMode, OttlError

LOG_INTERVAL_S = 10.0
"""How often one statement may log: one that always fails must not fill the disk."""

STATEMENT_LENGTH_MAX = 120
"""Characters of a statement in a metric label."""

_log = structlog.get_logger()


class FaultReporter:
    """
    Counts and logs the errors of one processor's statements.

    Args:
        texts:
            All statements and conditions that may fail; each gets its series at once.
    """

    def __init__(self, settings: Settings, texts: list[str]) -> None:
        self._settings = settings
        self._processor = str(settings.id)
        self._counters: dict[str, Counter] = {text: self._counter(text) for text in texts}
        self._telling = Seldom(LOG_INTERVAL_S, keys_max=max(1, len(self._counters)))

    def _counter(self, text: str) -> Counter:
        label = " ".join(text.split())[:STATEMENT_LENGTH_MAX]
        labels = {"processor": self._processor, "statement": label}
        return self._settings.metrics.counter("bridge_ottl_errors", labels)

    def loud(self, text: str, error: OttlError, cursor: Cursor) -> None:
        """Count and, if the statement did not lately, log."""
        self.quiet(text, error, cursor)
        if not self._telling.lets(text, self._settings.clock.monotonic()):
            return
        _log.warning(
            "ottl_statement_failed",
            processor=self._processor,
            pipeline=self._settings.pipeline,
            statement=text,
            error=str(error),
            trace_id=_trace_id(cursor),
            errors=self._counters[text].value,
        )

    def quiet(self, text: str, error: OttlError, cursor: Cursor) -> None:
        """Only count."""
        self._counters[text].add()

    def of(self, mode: ErrorMode) -> Any:
        """The method for an error mode."""
        return self.quiet if mode is ErrorMode.SILENT else self.loud


def _trace_id(cursor: Cursor) -> str:
    message = getattr(cursor.item, "message", None)
    trace_id = getattr(message, "trace_id", b"")
    return trace_id.hex()
