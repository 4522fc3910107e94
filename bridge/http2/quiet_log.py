"""Logging of what strangers can cause: one line a second, with the count of the others."""

from typing import Any, Final

import structlog

from bridge.core import Clock

_PERIOD_S: Final = 1.0


class QuietLog:
    """A logger for one subject that a client could make us repeat without end."""

    def __init__(self, clock: Clock, **context: Any) -> None:
        self._clock = clock
        self._log = structlog.get_logger().bind(**context)
        self._next_at = 0.0
        self._suppressed = 0

    def warning(self, event: str, **values: Any) -> None:
        """Log what was survived, if nothing was in the last second."""
        if self._open():
            self._log.warning(event, suppressed=self._take_suppressed(), **values)

    def exception(self, event: str, **values: Any) -> None:
        """Log the exception being handled with its traceback, if nothing was in the last second."""
        if self._open():
            self._log.exception(event, suppressed=self._take_suppressed(), **values)

    def _open(self) -> bool:
        now = self._clock.monotonic()
        if now < self._next_at:
            self._suppressed += 1
            return False
        self._next_at = now + _PERIOD_S
        return True

    def _take_suppressed(self) -> int:
        count, self._suppressed = self._suppressed, 0
        return count
