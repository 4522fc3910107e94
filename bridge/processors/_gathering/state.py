"""What a stage that gathers traces shows of itself while it runs."""

from collections.abc import Callable

from bridge.core import Settings
from bridge.processors._gathering.engine import Engine
from bridge.processors._gathering.lane import Moment
from bridge.processors._gathering.telemetry import Telemetry


def show_state(
    settings: Settings, telemetry: Telemetry, engine: Engine, now: Callable[[], Moment]
) -> None:
    """Register the gauges of one stage."""
    ledger = engine.ledger
    shown: dict[str, Callable[[], float]] = {
        "undecided_traces": lambda: engine.undecided,
        "undecided_bytes": lambda: ledger.undecided_bytes,
        "undelivered_bytes": lambda: ledger.undelivered_bytes,
        "held_records": lambda: ledger.open_records,
        "oldest_undecided_age_seconds": lambda: engine.oldest_age_s(now()),
    }
    for name, read in shown.items():
        settings.metrics.gauge(telemetry.prefix + name, telemetry.labels, read)
