"""Closing aiokafka's clients: in bounded time, and without their cancellations becoming ours."""

import asyncio
from typing import Protocol

import aiokafka.errors as kafka
from aiokafka.admin import AIOKafkaAdminClient

TIMEOUT_S = 15.0
"""Seconds for saying good-bye; what could not be said by then is found out by the broker."""


class Stoppable(Protocol):
    """A consumer or producer of aiokafka."""

    async def stop(self) -> None:
        """Say good-bye and close the connections."""
        ...


async def close_client(client: AIOKafkaAdminClient | Stoppable) -> None:
    """
    Close within `TIMEOUT_S`; never fails.

    Cancellation:
        Goes on, with connections left to the garbage collector.
    """
    stop = client.close if isinstance(client, AIOKafkaAdminClient) else client.stop
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await stop()
    except (kafka.KafkaError, OSError):
        return  # The request was answered or failed before; a socket less or more changes nothing.
    except asyncio.CancelledError:
        if is_cancelled_from_outside():
            raise


def is_cancelled_from_outside() -> bool:
    """
    Whether the `CancelledError` at hand is meant for the task that caught it.

    aiokafka awaits tasks that it has cancelled itself. One that never came to begin, because the
    client is closed right after it was started, ends with an error that looks like our own.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
