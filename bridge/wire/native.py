"""
The compiled forms of the hottest functions, where they were built and are wanted.

Installing needs no compiler: without one the Python forms do the same work at some ten times the
cost (`perf/results`). ``OTLP_BRIDGE_PURE=1`` in the environment switches the compiled forms off.
"""

from types import ModuleType
from typing import TypeVar

from bridge.core import Malformed, Signal, TooLarge, load_compiled
from bridge.wire.allowance import COPIED_BYTES_MAX, too_many_copies
from bridge.wire.limits import RequestLimits

Owner = TypeVar("Owner")

Shared = tuple[int, bytes, int, list[tuple[Owner, int, int]]]
"""
A piece of several requests: its partition, its bytes and items, and whose shares it is made of.

A share is an owner with its number of items and the position in the piece where it ends; shares
follow each other without gaps, and each is a request by itself.
"""


def load() -> ModuleType | None:
    """The compiled module, or `None` if it was not built or is switched off."""
    return load_compiled("bridge.wire")


_compiled = load()
_NUMBERS = {Signal.TRACES: 0, Signal.METRICS: 1, Signal.LOGS: 2}


def available() -> bool:
    """Whether the compiled forms are in use."""
    return _compiled is not None


def count(signal: Signal, body: bytes, limits: RequestLimits) -> int | None:
    """
    Count spans, data points or log records; `None` if the Python form must.

    Raises:
        Malformed: If the framing is broken down to the fields of an item, or values are nested
            deeper than *limits* allow.
        TooLarge: If there are more envelopes or fields than they allow.
    """
    if _compiled is None:
        return None
    try:
        found: int = _compiled.count(body, _NUMBERS[signal], *limits)
    except ValueError as error:
        raise Malformed(f"the body is no valid OTLP {signal.value} request") from error
    except RecursionError as error:
        raise Malformed(limits.too_deep()) from error
    except BufferError as error:
        raise TooLarge(limits.too_many()) from error
    return found


def count_many(
    signal: Signal, bodies: list[bytes | None], limits: RequestLimits
) -> list[int | None] | None:
    """The same for many bodies, `None` for each that is faulty or none; `None` if it is missing."""
    if _compiled is None:
        return None
    found: list[int | None] = _compiled.count_many(bodies, _NUMBERS[signal], *limits)
    return found


def split(
    signal: Signal,
    body: bytes,
    partitions: int,
    *,
    murmur2: bool,
    copied_bytes_max: int = COPIED_BYTES_MAX,
) -> list[tuple[int, bytes, int]] | None:
    """
    Split by the partition of each trace id's key; `None` if the Python form must.

    Returns:
        Partition, request and number of items, by ascending partition; -1 for log records that
        have no trace id and so no key.

    Raises:
        Malformed: If the framing is broken down to the fields of an item.
        TooLarge: If the pieces would exceed *body* by more than *copied_bytes_max* bytes.
    """
    if _compiled is None or signal is Signal.METRICS:
        return None
    try:
        found: list[tuple[int, bytes, int]] | None = _compiled.split(
            body, signal is Signal.LOGS, partitions, murmur2, copied_bytes_max
        )
    except BufferError as error:
        raise too_many_copies(copied_bytes_max) from error
    except ValueError as error:
        raise Malformed(f"the body is no valid OTLP {signal.value} request") from error
    return found


def split_many(
    signal: Signal,
    bodies: list[bytes],
    owners: list[Owner],
    partitions: int,
    *,
    murmur2: bool,
    bytes_max: int,
    copied_bytes_max: int = COPIED_BYTES_MAX,
) -> list[Shared[Owner]] | None:
    """
    Join *bodies* and split them by the partition of each trace id's key, in one pass.

    Args:
        owners: One for each body; they come back with the shares of their bodies.
        bytes_max: A piece grows up to this size; only one body's share alone may exceed it.

    Returns:
        Pieces by ascending partition, -1 for log records without a key; several of one partition
        in the order of their bodies. `None` if the Python form must do it, if all of them together
        would exceed the bodies by more than *copied_bytes_max* bytes, or if the caller must find
        out which of the bodies is broken.
    """
    if _compiled is None or signal is Signal.METRICS:
        return None
    found: list[Shared[Owner]] | None = _compiled.split_many(
        bodies, owners, signal is Signal.LOGS, partitions, murmur2, bytes_max, copied_bytes_max
    )
    return found
