"""Lanes, records and routes for tests of the Kafka receiver."""

from types import SimpleNamespace
from typing import Any

from bridge.core import NO_METADATA, Malformed, Settings, Signal, Stage
from bridge.flow import Chunk, Lane, LaneLimits, ReadRecord
from bridge.receivers.kafka.route import Route, SignalFigures


def source_record(offset: int = 0, value: bytes | None = b"body", **changes: Any) -> Any:
    """A record as the client hands it out."""
    made = {
        "topic": "spans",
        "partition": 2,
        "offset": offset,
        "timestamp": 1000 + offset,
        "key": None,
        "value": value,
        "headers": (),
    }
    return SimpleNamespace(**{**made, **changes})


def started(
    count: int = 1, fault: Malformed | None = None, items: int = 2, **lane: Any
) -> tuple[Lane, Chunk]:
    """A lane with one batch of *count* records in delivery."""
    made = Lane("spans", 2, 1, LaneLimits(10_000, 4, 10_000), **lane)
    made.open(0)
    made.paused = False
    made.admit(
        ReadRecord(
            offset,
            1000 + offset,
            b"body%d" % offset,
            items,
            NO_METADATA,
            source_record(offset),
            fault,
        )
        for offset in range(count)
    )
    chunk = made.start_next()
    assert chunk is not None
    return made, chunk


def route(settings: Settings, stage: Stage, signal: Signal = Signal.TRACES) -> Route:
    """Where the records of ``spans`` go."""
    return Route(signal, "otlp_proto", stage, SignalFigures(settings, signal))
