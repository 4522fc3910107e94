"""Watching stages: nothing of the delivery changes."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from bridge.core import Batch, ComponentId, Origin, Receipt, Signal, Stage, Unavailable
from bridge.service.assembly import Assembly, Head, Part
from bridge.service.taps import Taps
from bridge.telemetry import MetricRegistry
from bridge.testing import FakeStage, trace_request


@dataclass
class Notes:
    """A watcher that writes down what it is told."""

    told: list[Any] = field(default_factory=list)
    fails: bool = False

    def entered(self, stage: str, batch: Batch) -> object:
        if self.fails:
            raise RuntimeError("a watcher's own fault")
        self.told.append((stage, batch.items))
        return len(self.told)

    def left(self, token: object, error: BaseException | None) -> None:
        self.told.append((token, None if error is None else type(error).__name__))


def batch() -> Batch:
    """One span."""
    made = trace_request()
    return Batch(made.signal, made.body, made.items, Origin("otlp"))


def part(name: str, stage: Any) -> Part:
    """A built component."""
    return Part(name, stage, MetricRegistry())


def taps(**stages: Stage) -> Taps:
    """Exporters under these ids, ``first`` also fed by the receiver ``otlp``."""
    exporters = tuple(part(f"exporters/{id_}", stage) for id_, stage in stages.items())
    first = next(iter(stages.values()))
    heads = {"receivers/otlp": {Signal.TRACES: Head({}, first, None)}}
    return Taps(lambda: Assembly(exporters=exporters, heads=heads))


async def test_watched_stage_tells_each_batch_and_its_outcome() -> None:
    """And none any more once the watching ended; the stage is as it was."""
    stage, notes = FakeStage(), Notes()
    before = dict(vars(stage))
    end = taps(one=stage).watch("exporters/one", notes)
    await stage.deliver(batch())
    end()
    await stage.deliver(batch())

    assert notes.told == [("exporters/one", 1), (1, None)]
    assert "deliver" not in vars(stage)
    assert vars(stage).keys() == before.keys()
    end()  # Safe twice.


async def test_error_of_the_stage_is_told_and_reaches_the_caller() -> None:
    """The same object, so that custody is what it was."""
    refusal = Unavailable("not now")

    class Refusing:
        async def deliver(self, batch: Batch) -> Receipt:
            raise refusal

    stage, notes = Refusing(), Notes()
    taps(one=stage).watch("one", notes)
    with pytest.raises(Unavailable) as raised:
        await stage.deliver(batch())

    assert raised.value is refusal
    assert notes.told[1] == (1, "Unavailable")


async def test_cancellation_passes_through() -> None:
    """And is told as such."""
    entered = asyncio.Event()

    class Slow:
        async def deliver(self, batch: Batch) -> Receipt:
            entered.set()
            await asyncio.Event().wait()
            raise AssertionError("never")

    stage, notes = Slow(), Notes()
    taps(one=stage).watch("one", notes)
    task = asyncio.create_task(stage.deliver(batch()))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert notes.told[1] == (1, "CancelledError")


async def test_watcher_that_fails_is_taken_off() -> None:
    """Its fault never reaches the delivery."""
    stage, failing, well = FakeStage(), Notes(fails=True), Notes()
    one = taps(one=stage)
    one.watch("one", failing)
    one.watch("one", well)
    await stage.deliver(batch())
    failing.fails = False
    await stage.deliver(batch())

    assert failing.told == []
    assert len(well.told) == 4


async def test_shortcut_without_a_task_is_not_taken_while_watched() -> None:
    """`begin_delivery` says that nothing was touched, so that whoever asked delivers."""

    class Beginning(FakeStage):
        def begin_delivery(self, batch: Batch, settle: Any) -> object:
            return "begun"

    stage = Beginning()
    end = taps(one=stage).watch("one", Notes())
    watched = stage.begin_delivery(batch(), print)
    end()

    assert (watched, stage.begin_delivery(batch(), print)) == (None, "begun")


async def test_stage_of_a_receiver_is_what_it_hands_on_to() -> None:
    """The same stage may be watched under both of its names."""
    stage, notes = FakeStage(), Notes()
    one = taps(one=stage, two=FakeStage())
    end = one.watch("receivers/otlp", notes)
    end_other = one.watch("exporters/one", notes)
    await stage.deliver(batch())
    end()
    await stage.deliver(batch())
    end_other()

    assert [entry[0] for entry in notes.told if isinstance(entry[0], str)] == [
        "receivers/otlp",
        "exporters/one",
        "exporters/one",
    ]
    assert "deliver" not in vars(stage)


def test_names_that_are_not_clear_are_told() -> None:
    """With what there is."""
    one = taps(one=FakeStage(), otlp=FakeStage())

    assert one.stages() == ["receivers/otlp", "exporters/one", "exporters/otlp"]
    with pytest.raises(LookupError, match="several stages: receivers/otlp, exporters/otlp"):
        one.watch("otlp", Notes())
    with pytest.raises(LookupError, match="no stage three: receivers/otlp, exporters/one"):
        one.watch("three", Notes())


def test_processor_without_its_pipeline_is_all_of_that_id() -> None:
    """One instance stands in each pipeline."""
    id_ = ComponentId.parse("batch")
    stages = [FakeStage(), FakeStage()]
    parts = tuple(
        part(f"processors/{id_}@traces/{number}", stage) for number, stage in enumerate(stages)
    )
    Taps(lambda: Assembly(processors=parts)).watch("batch", Notes())

    assert all("deliver" in vars(stage) for stage in stages)
