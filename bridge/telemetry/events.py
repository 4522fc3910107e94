"""The last log lines, for the status page."""

from collections import deque
from collections.abc import Mapping, MutableMapping
from typing import Any

EVENTS_MAX = 200
"""Lines that are kept; the oldest go."""

_TEXT_CHARS_MAX = 500
_LEFT_OUT = frozenset(("exc_info", "stack_info", "_record", "_from_structlog"))

_events: deque[dict[str, Any]] = deque(maxlen=EVENTS_MAX)


def keep_event(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor that notes each line and passes it on unchanged."""
    del logger, method
    kept: dict[str, Any] = {
        key: _shown(value) for key, value in event.items() if key not in _LEFT_OUT
    }
    _events.append(kept)
    return event


def recent_events() -> list[Mapping[str, Any]]:
    """Up to `EVENTS_MAX` lines of this process, oldest first, with values that JSON has."""
    return list(_events)


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _TEXT_CHARS_MAX else text[:_TEXT_CHARS_MAX] + "..."
