"""From bytes to an acknowledged batch."""

import asyncio

import pytest

from bridge.core import ACCEPTED, Malformed, Receipt, Signal, TooLarge, Unavailable
from bridge.receivers.otlp.intake import Intake, to_metadata
from bridge.testing import FakeStage, ManualClock, RecordingMetrics, make_settings, trace_request

MADE = trace_request(4)


class Fixture:
    """An intake in front of a stage."""

    def __init__(self, stage: FakeStage) -> None:
        self.metrics = RecordingMetrics()
        self.clock = ManualClock()
        settings = make_settings("otlp/a", clock=self.clock, metrics=self.metrics)
        self.intake = Intake(Signal.TRACES, stage, settings, "grpc", items_max=4)

    def figures(self) -> tuple[float, ...]:
        """Accepted, refused and failed spans."""
        return tuple(
            self.metrics.value(
                f"otelcol_receiver_{name}_spans", receiver="otlp/a", transport="grpc"
            )
            for name in ("accepted", "refused", "failed")
        )


async def test_items_accepted_are_counted() -> None:
    """Without those that the receipt rejects."""
    fixture = Fixture(FakeStage(ACCEPTED, Receipt(1, "too large")))

    await fixture.intake.take(MADE.body, fixture.clock.monotonic() + 4)
    await fixture.intake.take(MADE.body, fixture.clock.monotonic() + 4)

    assert fixture.figures() == (7, 1, 0)


async def test_request_of_more_items_than_may_be_is_refused_for_good() -> None:
    """Nothing of it goes on, and the sender reads which key bounds it."""
    stage = FakeStage()
    fixture = Fixture(stage)

    with pytest.raises(TooLarge, match=r"holds 5 spans, at most 4.*max_items_per_request"):
        await fixture.intake.take(trace_request(5).body, 0.0)

    assert fixture.figures() == (0, 5, 0)
    assert stage.offered == []


async def test_items_refused_are_counted() -> None:
    """An error of the bridge is the pipeline's answer; any other is a fault of ours."""
    fixture = Fixture(FakeStage(Unavailable("away"), RuntimeError("ours")))

    with pytest.raises(Unavailable):
        await fixture.intake.take(MADE.body, 0.0)
    with pytest.raises(RuntimeError):
        await fixture.intake.take(MADE.body, 0.0)

    assert fixture.figures() == (0, 4, 4)


async def test_items_nobody_waited_for_are_counted_as_refused() -> None:
    """A cancelled delivery may have happened, but was not acknowledged."""
    stage = FakeStage()
    stage.hold()
    fixture = Fixture(stage)
    request = asyncio.create_task(fixture.intake.take(MADE.body, 0.0))
    await stage.wait_offered()

    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    assert fixture.figures() == (0, 4, 0)


async def test_malformed_bytes_reach_nobody() -> None:
    """They are refused before the pipeline."""
    fixture = Fixture(FakeStage())

    with pytest.raises(Malformed):
        await fixture.intake.take(b"\xff", 0.0)

    assert fixture.figures() == (0, 0, 0)


def test_metadata_keeps_all_values_in_order() -> None:
    """From several groups of fields."""
    metadata = to_metadata(((b"a", b"1"), (b"b", b"2")), ((b"a", b"\xe9"),))

    assert metadata == {"a": ("1", "\xe9"), "b": ("2",)}
