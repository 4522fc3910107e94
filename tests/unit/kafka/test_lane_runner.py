"""Deliveries of lanes: started, paused, drained, given up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.core import Deadline, SystemClock
from bridge.flow import Chunk, Lane
from bridge.kafka.lane_figures import LaneFigures
from bridge.kafka.lane_runner import LaneRunner, Windows
from bridge.testing import RecordingMetrics, settle
from tests.unit.kafka.consuming import LIMITS, ONE, TWO, WINDOWS, FakeClient, FakeHandler, record


@asynccontextmanager
async def _running(
    handler: FakeHandler, client: FakeClient | None = None, epoch: int = 0
) -> AsyncIterator[LaneRunner]:
    clock = SystemClock()
    figures = LaneFigures(RecordingMetrics(), clock, "kafka")
    async with asyncio.TaskGroup() as group:
        fake = client or FakeClient()
        runner = LaneRunner(fake, handler, figures, WINDOWS, group, epoch)  # type: ignore[arg-type]  # A fake of what is asked of it.
        yield runner
        await runner.drain(runner.lanes.values(), Deadline.after(1.0, clock))
        runner.close(runner.lanes.values())


def _open(runner: LaneRunner) -> Lane:
    (lane,) = runner.assign([ONE])
    lane.open(0)
    runner.opened(lane)
    return lane


def test_windows_share_the_total_equally() -> None:
    """Many partitions get less each, so that all of them together stay within the total."""
    assert WINDOWS.share(4).window_bytes_max == 1000
    assert WINDOWS.share(100).window_bytes_max == 100
    assert Windows(LIMITS, 1).share(7).window_bytes_max == 1


async def test_runner_delivers_and_finishes() -> None:
    """Records that are taken are delivered at once, in batches."""
    handler, client = FakeHandler(), FakeClient()
    async with _running(handler, client) as runner:
        lane = _open(runner)

        assert client.paused == {ONE: False}

        runner.take(lane, [record(0), record(1)])
        await settle()

        assert handler.delivered == [0, 1]
        assert lane.book.committed == 2


async def test_runner_pauses_and_resumes_the_partition() -> None:
    """A full lane pauses its partition at the client, an emptied one resumes it."""
    gate = asyncio.Event()

    async def wait(lane: Lane, chunk: Chunk) -> None:
        await gate.wait()

    handler, client = FakeHandler(wait), FakeClient()
    async with _running(handler, client) as runner:
        lane = _open(runner)
        runner.take(lane, [record(offset) for offset in range(5)])

        assert client.paused == {ONE: True}

        gate.set()
        await settle()

        assert client.paused == {ONE: False}
        assert handler.delivered == [0, 1, 2, 3, 4]


async def test_runner_new_assignment_has_a_new_epoch() -> None:
    """Each assignment is a lane of its own, paused until it is opened."""
    handler, client = FakeHandler(), FakeClient()
    async with _running(handler, client, epoch=6) as runner:
        (old,) = runner.assign([ONE])
        runner.close([old])
        (new,) = runner.assign([ONE])

        assert (old.epoch, new.epoch, old.closed, client.paused) == (7, 8, True, {ONE: True})
        assert handler.events == []


async def test_runner_tells_of_opened_and_closed_lanes() -> None:
    """Begin and end of an assignment are told once each."""
    handler = FakeHandler()
    async with _running(handler) as runner:
        lane = _open(runner)
        runner.close([lane])
        runner.close([lane])

        assert handler.events == ["opened spans/0 1", "closed spans/0 1"]
        assert runner.lanes == {}


async def test_runner_drain_waits_for_busy_deliveries() -> None:
    """What a stage has is waited for; its result still counts."""
    gate = asyncio.Event()

    async def wait(lane: Lane, chunk: Chunk) -> None:
        chunk.busy = True
        await gate.wait()

    handler = FakeHandler(wait)
    async with _running(handler) as runner:
        lane = _open(runner)
        runner.take(lane, [record(0)])
        await settle()
        drain = asyncio.ensure_future(runner.drain([lane], Deadline.after(30.0, SystemClock())))
        await settle()

        assert not drain.done()

        gate.set()
        await drain

        assert lane.book.committed == 1


async def test_runner_drain_waits_for_no_backoff() -> None:
    """A delivery between two attempts is given up at once."""

    async def wait(lane: Lane, chunk: Chunk) -> None:
        await asyncio.Event().wait()

    handler = FakeHandler(wait)
    async with _running(handler) as runner:
        lane = _open(runner)
        runner.take(lane, [record(0)])
        await settle()

        await runner.drain([lane], Deadline.after(30.0, SystemClock()))

        assert (lane.book.committed, lane.started) == (0, ())


async def test_runner_drain_waits_for_no_held_records() -> None:
    """Records that a stage keeps for long are left to the next owner, also if it says so late."""

    async def wait(lane: Lane, chunk: Chunk) -> None:
        chunk.busy = True
        await asyncio.Event().wait()

    handler = FakeHandler(wait)
    async with _running(handler) as runner:
        lane = _open(runner)
        runner.take(lane, [record(0)])
        await settle()
        drain = asyncio.ensure_future(runner.drain([lane], Deadline.after(30.0, SystemClock())))
        await settle()
        lane.hold([0])
        await drain

        assert lane.book.committed == 0


async def test_runner_drain_ends_at_the_deadline() -> None:
    """A delivery that does not return is cancelled when the budget is used up."""

    async def wait(lane: Lane, chunk: Chunk) -> None:
        chunk.busy = True
        await asyncio.Event().wait()

    handler = FakeHandler(wait)
    async with _running(handler) as runner:
        lane = _open(runner)
        runner.take(lane, [record(0)])
        await settle()

        await runner.drain([lane], Deadline.after(0.01, SystemClock()))

        assert (lane.book.committed, lane.started) == (0, ())


async def test_runner_lanes_are_independent() -> None:
    """A lane whose deliveries do not return keeps no other from reading."""

    async def wait(lane: Lane, chunk: Chunk) -> None:
        if lane.partition == 0:
            await asyncio.Event().wait()

    handler, client = FakeHandler(wait), FakeClient()
    async with _running(handler, client) as runner:
        lanes = runner.assign([ONE, TWO])
        for lane in lanes:
            lane.open(0)
            runner.opened(lane)
            where = ONE if lane.partition == 0 else TWO
            runner.take(lane, [record(offset, where) for offset in range(5)])
        await settle()

        assert handler.delivered == [0, 1, 2, 3, 4]
        assert client.paused == {ONE: True, TWO: False}


async def _hold(lane: Lane, chunk: Chunk) -> None:
    chunk.busy = True
    lane.hold([entry.offset for entry in chunk.entries])
    await asyncio.Event().wait()


async def test_runner_freeze_keeps_lanes_that_are_held() -> None:
    """What a stage holds is not broken off; a lane of which nothing is held ends."""
    handler = FakeHandler(_hold)
    async with _running(handler) as runner:
        held, idle = runner.assign([ONE, TWO])
        for lane in (held, idle):
            lane.open(0)
            runner.opened(lane)
        runner.take(held, [record(0)])
        await settle()
        await runner.freeze([held, idle], Deadline.after(30.0, SystemClock()))

        assert runner.frozen == {ONE: held}
        assert runner.lanes == {TWO: idle}
        assert (held.frozen, idle.frozen, len(held.started)) == (True, False, 1)

        runner.resume(held)
        runner.resumed(held)

        assert (runner.frozen, runner.lanes[ONE], held.epoch) == ({}, held, 2)
        assert handler.events[-1] == "resumed spans/0 2"
        assert not held.draining


async def test_runner_freeze_waits_for_what_is_under_way_behind_a_stage() -> None:
    """Held records are not waited for, their deliveries downstream are, up to the deadline."""
    handler = FakeHandler(_hold, loud=asyncio.Event())
    async with _running(handler) as runner:
        lane = _open(runner)
        runner.take(lane, [record(0)])
        await settle()
        freeze = asyncio.ensure_future(runner.freeze([lane], Deadline.after(30.0, SystemClock())))
        await settle()
        assert not freeze.done()
        assert handler.events[-1] == "frozen spans/0 1"
        assert handler.loud is not None
        handler.loud.set()
        await freeze
        handler.loud = asyncio.Event()
        runner.resume(lane)
        await runner.freeze([lane], Deadline.after(0.01, SystemClock()))

        assert runner.frozen == {ONE: lane}
        runner.close([lane])
        assert runner.frozen == {}


async def test_runner_freeze_gives_up_a_lane_that_was_broken_off() -> None:
    """A stage whose delivery was cancelled half way holds only half: all of it comes again."""

    async def work(lane: Lane, chunk: Chunk) -> None:
        chunk.busy = True
        if chunk.first == 0:
            lane.hold([entry.offset for entry in chunk.entries])
        await asyncio.Event().wait()

    async with _running(FakeHandler(work)) as runner:
        lane = _open(runner)
        runner.take(lane, [record(0)])
        runner.take(lane, [record(1)])
        await settle()
        await runner.freeze([lane], Deadline.after(0.01, SystemClock()))

        assert (runner.frozen, lane.started) == ({}, ())


async def test_runner_freeze_puts_back_what_had_not_begun() -> None:
    """A delivery that is cancelled before its first step comes again when the lane goes on."""
    handler = FakeHandler(_hold)
    async with _running(handler) as runner:
        lane = _open(runner)
        runner.take(lane, [record(0)])
        await settle()
        runner.take(lane, [record(1)])
        await runner.freeze([lane], Deadline.after(30.0, SystemClock()))
        assert [chunk.first for chunk in lane.started] == [0]
        assert runner.frozen == {ONE: lane}
        runner.resume(lane)
        runner.resumed(lane)
        await settle()

        assert [chunk.first for chunk in lane.started] == [0, 1]
