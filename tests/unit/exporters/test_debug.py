"""The debug exporter: what it shows, and how much."""

import pytest
from structlog.testing import capture_logs

from bridge.core import ACCEPTED, Batch, Deadline, Malformed, Origin, Signal
from bridge.exporters.debug import FACTORY, DebugOptions, render
from bridge.testing import ManualClock, make_settings, sample


def built(**keys: object):
    settings = make_settings("debug", clock=ManualClock())
    return FACTORY.create(DebugOptions.model_validate(keys), settings, frozenset(Signal)), settings


def a_batch(signal: Signal = Signal.TRACES, items: int = 2) -> Batch:
    return Batch(signal, sample(signal, items).body, items, Origin("x"))


async def test_debug_basic_shows_counts() -> None:
    """One line a batch with its signal, items and bytes."""
    exporter, settings = built()
    await exporter.start()
    with capture_logs() as lines:
        assert await exporter.deliver(a_batch()) is ACCEPTED
    await exporter.stop(Deadline.after(1, settings.clock))

    assert [(line["event"], line["signal"], line["spans"]) for line in lines] == [
        ("debug_batch", "traces", 2)
    ]
    assert "data" not in lines[0]
    assert settings.metrics.value("otelcol_exporter_sent_spans") == 2


async def test_debug_samples_within_a_second() -> None:
    """The first batches of each second are shown, of the rest each so manieth."""
    exporter, settings = built(sampling_initial=2, sampling_thereafter=3)
    with capture_logs() as lines:
        for _ in range(8):
            await exporter.deliver(a_batch())
        assert len(lines) == 4  # 1, 2, 5 and 8.
        await settings.clock.advance(1)
        await exporter.deliver(a_batch())

    assert len(lines) == 5


async def test_debug_can_show_nothing_after_the_first() -> None:
    """sampling_thereafter 0 drops the rest of the second."""
    exporter, _ = built(sampling_initial=1, sampling_thereafter=0)
    with capture_logs() as lines:
        for _ in range(5):
            await exporter.deliver(a_batch())

    assert len(lines) == 1


async def test_debug_writes_to_standard_output(capsys) -> None:
    """Without the internal logger people see it on standard output."""
    exporter, _ = built(use_internal_logger=False, verbosity="normal")
    await exporter.deliver(a_batch())

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("exporter=debug signal=traces spans=2")
    assert len(lines) == 3


@pytest.mark.parametrize("signal", list(Signal))
def test_debug_normal_has_a_line_for_each_item(signal) -> None:
    """Spans, data points and log records take one line each."""
    assert len(list(render(a_batch(signal, 5), "normal", 100))) == 5


@pytest.mark.parametrize("signal", list(Signal))
def test_debug_detailed_shows_every_field(signal) -> None:
    """Resources, scopes and items are shown with their fields."""
    text = "\n".join(render(a_batch(signal), "detailed", 1000))

    assert "resource:" in text
    assert "service.name=" in text


def test_debug_detailed_shows_ids_as_hex() -> None:
    """Ids read as everywhere else."""
    made = sample(Signal.TRACES, 1)
    text = "\n".join(render(a_batch(items=1), "detailed", 1000))

    assert f"trace_id: {made.span_ids[0][:16].hex()}" in text


def test_debug_output_is_bounded() -> None:
    """A huge batch does not flood the terminal."""
    lines = list(render(a_batch(items=50), "normal", 10))

    assert lines[-1] == "... cut after 10 lines"
    assert len(lines) == 11


async def test_debug_names_broken_data() -> None:
    """What cannot be decoded is refused as malformed."""
    exporter, _ = built(verbosity="detailed")

    with pytest.raises(Malformed):
        await exporter.deliver(Batch(Signal.TRACES, b"\xff\xff", 1, Origin("x")))
