"""The nop exporter."""

from bridge.core import ACCEPTED, Batch, Deadline, Origin, Signal
from bridge.exporters.nop import FACTORY, NopOptions
from bridge.testing import make_settings


async def test_nop_takes_everything() -> None:
    """Every batch is taken and counted, and nothing is kept."""
    settings = make_settings("nop")
    exporter = FACTORY.create(NopOptions(), settings, frozenset(Signal))
    await exporter.start()

    assert await exporter.deliver(Batch(Signal.LOGS, b"x", 4, Origin("x"))) is ACCEPTED
    await exporter.stop(Deadline.after(1, settings.clock))
    assert settings.metrics.value("otelcol_exporter_sent_log_records", exporter="nop") == 4
