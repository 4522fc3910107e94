"""The ``nop`` exporter: takes everything and keeps nothing, as the Collector's."""

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    ExporterFactory,
    Receipt,
    Settings,
    Signal,
    Stability,
    State,
    Status,
)
from bridge.options import Options


class NopOptions(Options):
    """Section ``exporters.nop``: no keys."""


class NopExporter:
    """Counts what it discards; `validate` and the log name it, since data ends here."""

    def __init__(self, options: NopOptions, settings: Settings, signals: frozenset[Signal]) -> None:
        self._report = settings.report
        self._sent = {
            signal: settings.metrics.counter(
                f"otelcol_exporter_sent_{signal.items}", {"exporter": str(settings.id)}
            )
            for signal in Signal
        }

    async def start(self) -> None:
        """Nothing to open."""
        self._report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Nothing to finish."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Discard *batch*."""
        self._sent[batch.signal].add(batch.items)
        return ACCEPTED


FACTORY = ExporterFactory("nop", config=NopOptions, create=NopExporter, stability=Stability.STABLE)
