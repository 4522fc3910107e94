"""Decisions are safe before anything follows from them."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from bridge.core import Deadline, DeliveryError, Denied, State, Unavailable
from bridge.kafka import DecidedTrace
from bridge.processors._gathering.journal import DECISIONS_AT_ONCE, Journal
from bridge.testing import ManualClock, make_settings, settle
from tests.unit.processors._gathering.conftest import Rig, ToldJudge, trace_id
from tests.unit.processors._gathering.test_stage import A, B, request, running


class Topic:
    """A decision log that a test holds up, and that fails as it is told."""

    def __init__(self, *errors: DeliveryError) -> None:
        self.errors = list(errors)
        self.gate = asyncio.Event()
        self.gate.set()
        self.decided: list[tuple[str, int, bytes, bool]] = []
        self.stored: list[DecidedTrace] = []
        self.writes = 0
        self.stopped = False

    async def write(self, source: str, decided: Mapping[int, Sequence[DecidedTrace]]) -> None:
        await self.gate.wait()
        self.writes += 1
        if self.errors:
            raise self.errors.pop(0)
        self.decided += [
            (source, partition, one.trace_id, one.sampled)
            for partition, traces in decided.items()
            for one in traces
        ]

    async def read(self, source: str, partition: int, timeout_s: float) -> list[DecidedTrace]:
        if self.errors:
            raise self.errors.pop(0)
        return self.stored

    async def stop(self, deadline: Deadline) -> None:
        self.stopped = True


async def test_stage_delivers_and_finishes_nothing_before_its_decision_is_written() -> None:
    """Neither the sampled trace goes out nor the record of the other one is finished."""
    topic = Topic()
    topic.gate.clear()
    async with running(A, decisions=topic) as bench:
        task = bench.deliver(bench.records(request((A, 1)), request((B, 2))))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()
        assert (bench.came_out, bench.custody.finished) == ([], [])
        topic.gate.set()
        await settle()

        assert topic.decided == [("otlp_spans", 0, A, True), ("otlp_spans", 0, B, False)]
        assert bench.came_out == [(A, 1)]
        assert sorted(bench.custody.finished) == [0, 1, 2]
        assert task.done()
    assert topic.stopped


async def test_stage_follows_what_was_decided_elsewhere() -> None:
    """Decisions read at the assignment are followed by spans that come later, and not written."""
    topic = Topic()
    async with running(A, decisions=topic) as bench:
        topic.stored = [DecidedTrace(A, False, 0), DecidedTrace(B, True, bench.wall_ms)]
        await bench.stage.partition_assigned(bench.custody)
        task = bench.deliver(bench.records(request((A, 1), (B, 2))))
        await settle()

        assert bench.came_out == [(B, 2)]
        assert task.done()
        assert topic.decided == []
        assert bench.judge.shown == []


async def test_stage_quiet_waits_for_decisions_too() -> None:
    """Before a partition is given up its decisions are written, and its records finished."""
    topic = Topic()
    topic.gate.clear()
    async with running(A, decisions=topic) as bench:
        bench.deliver(bench.records(request((B, 2))))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()
        bench.stage.partition_frozen(bench.custody)
        quiet = asyncio.create_task(bench.stage.wait_partition_quiet(bench.custody))
        await settle()
        assert not quiet.done()
        topic.gate.set()
        await settle()

        assert quiet.done()
        assert sorted(bench.custody.finished) == [0, 1]


class JournalRig:
    """A journal that writes, on a clock driven by hand."""

    def __init__(self, topic: Topic) -> None:
        self.clock, self.acted = ManualClock(), 0
        self.settings = make_settings("tail_sampling", clock=self.clock)
        self.rig = Rig(ToldJudge())
        self.journal = Journal(topic, self.settings, self.rig.telemetry, 5.0, self._act)
        self.task = asyncio.create_task(self.journal.write_forever())

    def _act(self) -> None:
        self.acted += 1

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.mark.parametrize("error", [Unavailable("away"), Denied("no", hint="mend it")])
async def test_journal_writes_again_until_it_is_written(error: DeliveryError) -> None:
    """A failure is repeated without end, counted, and told if waiting does not mend it."""
    topic = Topic(error)
    rig = JournalRig(topic)
    rig.journal.note("spans", 3, A, True)
    waiting = asyncio.create_task(rig.journal.wait_written())
    await settle()
    assert not waiting.done()
    assert (State.PERMANENT is rig.settings.host.state) is isinstance(error, Denied)  # type: ignore[attr-defined]  # FakeHost has it.
    await rig.clock.advance(20.0)

    assert waiting.done()
    assert topic.decided == [("spans", 3, A, True)]
    assert rig.rig.own("decision_write_failures") == 1
    await rig.stop()


async def test_journal_writes_together_what_was_noted_meanwhile() -> None:
    """One write takes what waits, up to a bound, and a waiter waits only for what was before it."""
    topic = Topic()
    rig = JournalRig(topic)
    for number in range(DECISIONS_AT_ONCE + 1):
        rig.journal.note("spans", number % 2, trace_id(number + 1), False)
    await rig.journal.wait_written()

    assert topic.writes == 2
    assert rig.journal.written == DECISIONS_AT_ONCE + 1 == rig.rig.own("decisions_written")
    await rig.stop()


async def test_journal_begins_without_what_cannot_be_read() -> None:
    """A partition is not held up by decisions; that some are missing is counted."""
    topic = Topic(Unavailable("away"))
    rig = JournalRig(topic)

    assert await rig.journal.read("spans", 0) == []
    assert rig.rig.own("decisions_unread_partitions") == 1
    await rig.stop()
