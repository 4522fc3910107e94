"""From bytes to an acknowledged batch."""

import asyncio

import pytest

from bridge.core import (
    ACCEPTED,
    NO_METADATA,
    SETTLED,
    Malformed,
    Outcome,
    Receipt,
    Signal,
    TooLarge,
    Unavailable,
)
from bridge.flow import OF_OTLP, Account
from bridge.receivers.otlp.intake import Intake, to_metadata
from bridge.testing import FakeStage, ManualClock, RecordingMetrics, make_settings, trace_request
from tests.unit.beginning import FakeBeginner

MADE = trace_request(4)


class Fixture:
    """An intake in front of a stage."""

    def __init__(self, stage: FakeStage) -> None:
        self.metrics = RecordingMetrics()
        self.clock = ManualClock()
        settings = make_settings("otlp/a", clock=self.clock, metrics=self.metrics)
        self.account = Account(settings.metrics, "receivers/otlp", Signal.TRACES, OF_OTLP)
        self.intake = Intake(
            Signal.TRACES, stage, settings, "grpc", items_max=4, account=self.account
        )

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


@pytest.mark.parametrize(
    ("outcome", "figures"),
    [
        (ACCEPTED, (4, 0, 0)),
        (Receipt(1, "too large"), (3, 1, 0)),
        (Unavailable("away"), (0, 4, 0)),
        (None, (0, 4, 0)),
    ],
)
async def test_items_begun_are_counted_when_they_settle(
    outcome: Outcome, figures: tuple[float, ...]
) -> None:
    """As `take` counts them; `None` is a sender that went away."""
    stage = FakeBeginner()
    fixture = Fixture(stage)
    outcomes: list[Outcome] = []

    pending = fixture.intake.begin(MADE.body, 4.0, NO_METADATA, outcomes.append)
    ((batch, settle),) = stage.begun
    before = fixture.figures()
    settle(outcome)

    assert pending is SETTLED
    assert (batch.body, batch.items) == (MADE.body, 4)
    assert before == (0, 0, 0)
    assert fixture.figures() == figures
    assert outcomes == [outcome]


async def test_begin_is_left_to_take_where_a_stage_cannot() -> None:
    """Nothing is counted, and nobody is called."""
    outcomes: list[Outcome] = []
    for stage in (FakeStage(), FakeBeginner(None)):
        fixture = Fixture(stage)
        assert fixture.intake.begin(MADE.body, 4.0, NO_METADATA, outcomes.append) is None
        assert fixture.figures() == (0, 0, 0)
    assert outcomes == []


async def test_begin_counts_what_is_refused_at_once() -> None:
    """A full buffer and a fault of ours are told by raising."""
    fixture = Fixture(FakeBeginner(Unavailable("full")))
    with pytest.raises(Unavailable):
        fixture.intake.begin(MADE.body, 4.0, NO_METADATA, lambda _: None)
    assert fixture.figures() == (0, 4, 0)

    fixture = Fixture(FakeBeginner(RuntimeError("ours")))
    with pytest.raises(RuntimeError):
        fixture.intake.begin(MADE.body, 4.0, NO_METADATA, lambda _: None)
    assert fixture.figures() == (0, 0, 4)


async def test_begin_accepts_what_holds_nothing() -> None:
    """An empty request asks nothing of the stage."""
    outcomes: list[Outcome] = []
    stage = FakeBeginner()

    assert Fixture(stage).intake.begin(b"", 4.0, NO_METADATA, outcomes.append) is SETTLED
    assert outcomes == [ACCEPTED]
    assert stage.begun == []


async def test_ledger_names_how_every_item_ended() -> None:
    """Acknowledged, refused for now, never taken; what cannot be read counts as one item."""
    stage = FakeStage(ACCEPTED, Receipt(1, "odd"), Unavailable("away"), Malformed("no"))
    fixture = Fixture(stage)

    for expected in (None, None, Unavailable, Malformed):
        if expected is None:
            await fixture.intake.take(MADE.body, 0.0)
        else:
            with pytest.raises(expected):
                await fixture.intake.take(MADE.body, 0.0)
    with pytest.raises(Malformed):
        await fixture.intake.take(b"\xff", 0.0)
    with pytest.raises(TooLarge):
        await fixture.intake.take(trace_request(5).body, 0.0)

    def column(name: str) -> float:
        return fixture.metrics.value("bridge_ledger_items", column=name)

    columns = ("received", "acknowledged", "refused", "invalid")
    assert [column(name) for name in columns] == [22, 7, 4, 11]
    assert fixture.metrics.value("bridge_ledger_imbalance") == 0


async def test_ledger_counts_items_in_flight_where_they_are() -> None:
    """While the stage has them, and no longer."""
    stage = FakeStage()
    fixture = Fixture(stage)
    stage.hold()
    task = asyncio.create_task(fixture.intake.take(MADE.body, fixture.clock.monotonic() + 4))
    await asyncio.sleep(0)
    assert fixture.account.in_flight == 4

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert fixture.account.in_flight == 0
    assert fixture.metrics.value("bridge_ledger_items", column="refused") == 4
