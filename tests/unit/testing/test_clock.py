"""Time that only a test moves."""

import asyncio

from bridge.testing import ManualClock, settle


async def test_clock_wakes_sleepers_in_their_order() -> None:
    """Each sleeper wakes at its own moment, whoever slept first."""
    clock, woken = ManualClock(start_s=0.0), []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for seconds in (3.0, 1.0, 2.0):
            group.create_task(sleep(seconds))
        await clock.wait_sleeping(3)
        await clock.advance(2.5)
        early = list(woken)
        await clock.advance(0.5)

    assert early == [(1.0, 1.0), (2.0, 2.0)]
    assert woken[2] == (3.0, 3.0)


async def test_clock_advance_covers_sleeps_that_begin_in_it() -> None:
    """A loop that sleeps a second at a time turns ten times in ten seconds."""
    clock, turns = ManualClock(), []

    async def tick() -> None:
        while True:
            await clock.sleep(1.0)
            turns.append(clock.wall())

    task = asyncio.create_task(tick())
    await clock.advance(10.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert len(turns) == 10


async def test_clock_cancelled_sleeper_is_forgotten() -> None:
    """A cancelled sleep leaves nothing behind."""
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(1.0))
    await clock.wait_sleeping()
    task.cancel()
    await settle()

    assert clock.sleeping == 0


async def test_clock_zero_sleep_returns_without_time() -> None:
    """A sleep of nothing only yields."""
    clock = ManualClock()
    before = clock.monotonic()

    await clock.sleep(0)

    assert clock.monotonic() == before


def test_clock_wall_jumps_alone() -> None:
    """Setting the wall clock does not move the monotonic one."""
    clock = ManualClock(start_s=5.0)

    clock.set_wall(1.0)

    assert (clock.monotonic(), clock.wall()) == (5.0, 1.0)
