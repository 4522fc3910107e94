"""
The compiled forms of the hottest functions, where they were built and are wanted.

Installing needs no compiler: without one the Python forms do the same work at some ten times the
cost (`perf/results`). ``OTLP_BRIDGE_PURE=1`` in the environment switches the compiled forms off.
"""

import os
from types import ModuleType

from bridge.core import Malformed, Signal


def load() -> ModuleType | None:
    """The compiled module, or `None` if it was not built or is switched off."""
    if os.environ.get("OTLP_BRIDGE_PURE"):
        return None
    try:
        from bridge.wire import _native
    except ImportError:
        return None
    return _native


_compiled = load()


def available() -> bool:
    """Whether the compiled forms are in use."""
    return _compiled is not None


def count(signal: Signal, body: bytes) -> int | None:
    """
    Count spans or log records; `None` if the Python form must.

    Raises:
        Malformed: If the framing is broken down to the fields of an item.
    """
    if _compiled is None or signal is Signal.METRICS:
        return None
    try:
        found: int | None = _compiled.count(body, signal is Signal.LOGS)
    except ValueError as error:
        raise Malformed(f"the body is no valid OTLP {signal.value} request") from error
    return found


def split(
    signal: Signal, body: bytes, partitions: int, *, murmur2: bool
) -> list[tuple[int, bytes, int]] | None:
    """
    Split by the partition of each trace id's key; `None` if the Python form must.

    Returns:
        Partition, request and number of items, by ascending partition; -1 for log records that
        have no trace id and so no key.

    Raises:
        Malformed: If the framing is broken down to the fields of an item.
    """
    if _compiled is None or signal is Signal.METRICS:
        return None
    try:
        found: list[tuple[int, bytes, int]] | None = _compiled.split(
            body, signal is Signal.LOGS, partitions, murmur2
        )
    except ValueError as error:
        raise Malformed(f"the body is no valid OTLP {signal.value} request") from error
    return found
