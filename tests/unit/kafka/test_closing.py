"""Closing clients that cancel tasks of their own."""

import asyncio

import pytest

from bridge.kafka.closing import close_client


class Connections:
    """What a client holds."""

    closed = False

    async def close(self) -> None:
        self.closed = True


class Client:
    """Awaits a task that it has cancelled before it began, as aiokafka's consumer does."""

    def __init__(self) -> None:
        self.task = asyncio.ensure_future(asyncio.sleep(60))

        self.client = Connections()

    async def stop(self) -> None:
        self.task.cancel()
        await self.task
        await self.client.close()


class Endless:
    """Never comes to an end."""

    async def stop(self) -> None:
        await asyncio.Event().wait()


async def test_close_takes_a_clients_own_cancellation_for_its_end() -> None:
    """Nobody cancelled us: the caller goes on, and no socket stays open."""
    client = Client()
    await close_client(client)

    assert client.client.closed


async def test_close_passes_our_own_cancellation_on() -> None:
    """Whoever cancels the closing gets their way."""
    task = asyncio.ensure_future(close_client(Endless()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_close_ends_in_bounded_time() -> None:
    """A client that hangs is left alone."""
    await close_client(Endless(), timeout_s=0.01)
