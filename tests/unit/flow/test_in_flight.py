"""Turn taking: the limit, the order, and who waits how long."""

import asyncio

import pytest

from bridge.core import Overloaded
from bridge.flow import InFlight
from bridge.options import SendingQueue


def limited(settings, **keys: object) -> InFlight:
    return InFlight(SendingQueue.model_validate({"num_consumers": 1, **keys}), settings)


async def hold(turns: InFlight, batch, release: asyncio.Event, log: list[str], name: str) -> None:
    async with turns.turn(batch):
        log.append(name)
        await release.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_turns_are_limited_and_in_order(settings, a_batch, figures) -> None:
    """No more than num_consumers run; the others follow in the order in which they came."""
    turns, release, log = limited(settings), asyncio.Event(), []
    tasks = [asyncio.create_task(hold(turns, a_batch(), release, log, n)) for n in "abc"]
    await settle()
    assert log == ["a"]
    assert figures.value("otelcol_exporter_queue_size") == 2
    assert figures.value("otelcol_exporter_in_flight_requests") == 1
    release.set()
    await asyncio.gather(*tasks)

    assert log == ["a", "b", "c"]
    assert repr(turns) == "InFlight(0 running, 0 waiting)"


async def test_full_queue_refuses_waiting_senders_only(settings, a_batch) -> None:
    """Above queue_size data with a sender is refused with a hint; durable data waits."""
    turns, release, log = limited(settings, queue_size=1), asyncio.Event(), []
    tasks = [asyncio.create_task(hold(turns, a_batch(), release, log, n)) for n in "ab"]
    await settle()

    with pytest.raises(Overloaded, match="sending_queue is full"):
        await hold(turns, a_batch(deadline_s=5), release, log, "x")
    tasks.append(asyncio.create_task(hold(turns, a_batch(), release, log, "c")))
    release.set()
    await asyncio.gather(*tasks)
    assert log == ["a", "b", "c"]


async def test_blocking_queue_lets_senders_wait(settings, a_batch) -> None:
    """With block_on_overflow senders wait instead of being refused."""
    turns = limited(settings, queue_size=1, block_on_overflow=True)
    release, log = asyncio.Event(), []
    tasks = [
        asyncio.create_task(hold(turns, a_batch(deadline_s=30), release, log, n)) for n in "abc"
    ]
    await settle()
    release.set()
    await asyncio.gather(*tasks)

    assert log == ["a", "b", "c"]


async def test_no_turn_before_the_deadline_is_refused(settings, a_batch) -> None:
    """A sender whose deadline passes while it waits is told to come back."""
    turns, release = limited(settings), asyncio.Event()
    task = asyncio.create_task(hold(turns, a_batch(), release, [], "a"))
    await settle()

    with pytest.raises(Overloaded, match="no turn before"):
        await hold(turns, a_batch(deadline_s=0), release, [], "b")
    release.set()
    await task


@pytest.mark.parametrize(("sizer", "size"), [("items", 7), ("bytes", 3), ("requests", 1)])
async def test_queue_is_measured_by_its_sizer(settings, a_batch, figures, sizer, size) -> None:
    """queue_size counts what sizer says."""
    turns, release = limited(settings, sizer=sizer), asyncio.Event()
    batch = a_batch(body=b"abc", items=7)
    tasks = [asyncio.create_task(hold(turns, batch, release, [], n)) for n in "ab"]
    await settle()

    assert figures.value("otelcol_exporter_queue_size") == size
    release.set()
    await asyncio.gather(*tasks)


async def test_cancelled_waiter_gives_its_place_back(settings, a_batch, figures) -> None:
    """A cancelled waiter neither blocks nor leaks a turn."""
    turns, release = limited(settings), asyncio.Event()
    first = asyncio.create_task(hold(turns, a_batch(), release, [], "a"))
    second = asyncio.create_task(hold(turns, a_batch(), release, [], "b"))
    await settle()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert figures.value("otelcol_exporter_queue_size") == 0
    release.set()
    await first

    async with turns.turn(a_batch()):
        assert repr(turns) == "InFlight(1 running, 0 waiting)"
