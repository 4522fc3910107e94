"""Which deliveries are followed; the deliveries themselves are as they were."""

import asyncio
from collections.abc import Callable

import pytest

from bridge.core import ACCEPTED, Batch, Origin, Outcome, Receipt, Signal, Stage, Unavailable
from bridge.service.own_traces import Span, TracedStage, Tracer
from bridge.service.places import Place, unobserved
from bridge.testing import FakeStage, ManualClock
from tests.unit.beginning import FakeBeginner

BATCH = Batch(Signal.TRACES, b"body", 4, Origin("otlp"))
MARK = b"0123456789abcdef"
FIRST = Place("receivers/otlp", "otlp", "", begins=True)
LAST = Place("exporters/otlp", "otlp", "traces", begins=False)


class Taken(list[Span]):
    """What a tracer hands over."""

    def tracer(self, ratio: float = 1.0, chance: Callable[[], float] = lambda: 0.5) -> Tracer:
        """One that hands over to us."""
        return Tracer(ratio, MARK, self.append, ManualClock(), chance)


class Onward:
    """A stage that delivers to another."""

    def __init__(self, downstream: Stage) -> None:
        self.downstream = downstream

    async def deliver(self, batch: Batch) -> Receipt:
        return await self.downstream.deliver(batch)


async def test_stages_of_one_delivery_make_one_trace() -> None:
    """The inner one is the child, and ends first."""
    taken, end = Taken(), FakeStage()
    tracer = taken.tracer()
    first = TracedStage(Onward(TracedStage(end, LAST, tracer)), FIRST, tracer)
    receipt = await first.deliver(BATCH)
    await first.deliver(BATCH)

    assert receipt is ACCEPTED
    assert end.taken == [BATCH, BATCH]
    assert [span.name for span in taken] == ["deliver otlp", "receive otlp"] * 2
    inner, outer = taken[:2]
    assert (inner.trace_id, inner.parent_id) == (outer.trace_id, outer.span_id)
    assert outer.parent_id == b""
    assert taken[2].trace_id != inner.trace_id


async def test_what_is_not_chosen_goes_straight_to_the_stage() -> None:
    """Not even a coroutine stands between."""
    taken = Taken()

    class Straight:
        def __init__(self) -> None:
            self.made = self.coroutine()

        async def coroutine(self) -> Receipt:
            return ACCEPTED

        def deliver(self, batch: Batch) -> object:
            return self.made

    stage: object = Straight()
    assert isinstance(stage, Straight)
    traced = TracedStage(stage, FIRST, taken.tracer(ratio=0.4))  # type: ignore[arg-type]  # as asked
    given = traced.deliver(BATCH)

    assert given is stage.made
    assert await given is ACCEPTED
    assert taken == []


async def test_only_beginnings_are_chosen() -> None:
    """A stage in the middle follows what is followed already, or shares would add up."""
    taken = Taken()
    await TracedStage(FakeStage(), LAST, taken.tracer()).deliver(BATCH)

    assert taken == []


async def test_own_spans_that_come_back_are_not_followed() -> None:
    """Or each round would make new ones."""
    taken, end = Taken(), FakeStage()
    own = Batch(Signal.TRACES, b"..." + MARK + b"...", 1, Origin("kafka"))
    await TracedStage(end, FIRST, taken.tracer()).deliver(own)

    assert end.taken == [own]
    assert taken == []


async def test_errors_and_cancellations_pass_and_are_told() -> None:
    """As they are."""
    taken, error = Taken(), Unavailable("later")
    stage = FakeStage(error)
    traced = TracedStage(stage, FIRST, taken.tracer())
    with pytest.raises(Unavailable):
        await traced.deliver(BATCH)
    stage.hold()
    task = asyncio.create_task(traced.deliver(BATCH))
    await stage.wait_offered(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [span.error for span in taken] == ["Unavailable", "CancelledError"]


async def test_task_that_outlives_its_span_begins_anew() -> None:
    """A worker made within a followed delivery is no child of it for ever."""
    taken, go = Taken(), asyncio.Event()
    tracer = taken.tracer()
    last = TracedStage(FakeStage(), LAST, tracer)
    made: list[asyncio.Task[Receipt]] = []

    class Leaving:
        async def deliver(self, batch: Batch) -> Receipt:
            async def work() -> Receipt:
                await go.wait()
                return await last.deliver(batch)

            made.append(asyncio.create_task(work()))
            return ACCEPTED

    await TracedStage(Leaving(), FIRST, tracer).deliver(BATCH)
    go.set()
    await made[0]

    assert [span.name for span in taken] == ["receive otlp"]


async def test_task_made_within_a_span_is_its_child_until_it_ends() -> None:
    """As the branches of a fan-out are."""
    taken = Taken()
    tracer = taken.tracer()
    last = TracedStage(FakeStage(), LAST, tracer)

    class Forking:
        async def deliver(self, batch: Batch) -> Receipt:
            return await asyncio.create_task(last.deliver(batch))

    await TracedStage(Forking(), FIRST, tracer).deliver(BATCH)

    assert taken[0].parent_id == taken[1].span_id


def test_delivery_without_a_task_is_followed_alike() -> None:
    """It ends when it is settled, whenever that is."""
    taken, settled = Taken(), list[Outcome]()
    inner = FakeBeginner()
    traced = TracedStage(inner, FIRST, taken.tracer())

    assert traced.begins
    assert traced.begin_delivery(BATCH, settled.append) is not None
    assert taken == []
    inner.begun[0][1](ACCEPTED)
    assert settled == [ACCEPTED]
    assert [(span.name, span.error) for span in taken] == [("receive otlp", "")]


def test_stage_that_cannot_begin_is_delivered_to() -> None:
    """Nothing is told of the attempt: the delivery that follows tells."""
    taken = Taken()
    traced = TracedStage(FakeStage(), FIRST, taken.tracer())

    assert not traced.begins
    assert traced.begin_delivery(BATCH, lambda outcome: None) is None
    assert taken == []


def test_share_is_kept() -> None:
    """By the numbers that chance gives."""
    taken = Taken()
    chances = iter(number / 100 for number in range(100))
    tracer = taken.tracer(0.25, lambda: next(chances))
    followed = sum(tracer.begin(FIRST, BATCH) is not None for _ in range(100))

    assert followed == 25


def test_nothing_stands_between_when_nobody_looks() -> None:
    """The stage itself, so that switched off costs nothing."""
    stage = FakeStage()

    assert unobserved(stage, FIRST) is stage
