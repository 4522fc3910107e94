"""Closing aiokafka's clients: in bounded time, and without their cancellations becoming ours."""

import asyncio
import contextlib
from typing import Any, Protocol

import aiokafka.errors as kafka
from aiokafka.admin import AIOKafkaAdminClient

TIMEOUT_S = 15.0
"""Seconds for saying good-bye; what could not be said by then is found out by the broker."""

ABANDON_TIMEOUT_S = 2.0
"""Seconds for closing sockets after the polite way took too long."""


class Stoppable(Protocol):
    """A consumer or producer of aiokafka."""

    async def stop(self) -> None:
        """Say good-bye and close the connections."""
        ...


async def close_client(
    client: AIOKafkaAdminClient | Stoppable, timeout_s: float = TIMEOUT_S
) -> None:
    """
    Close within *timeout_s* seconds; never fails.

    Cancellation:
        Goes on once the sockets are closed.
    """
    stop = client.close if isinstance(client, AIOKafkaAdminClient) else client.stop
    try:
        async with asyncio.timeout(timeout_s):
            await stop()
    except (kafka.KafkaError, OSError):
        await abandon(client)  # The request was answered or failed before.
    except asyncio.CancelledError:
        await abandon(client)
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


async def abandon(client: Any) -> None:
    """End what `AIOKafkaConsumer.stop` waits for without bound: its tasks, then its sockets."""
    coordinator = getattr(client, "_coordinator", None)
    fetcher = getattr(client, "_fetcher", None)
    tasks = [
        getattr(coordinator, "_coordination_task", None),
        getattr(coordinator, "_heartbeat_task", None),
        getattr(coordinator, "_commit_refresh_task", None),
        getattr(fetcher, "_fetch_task", None),
        *getattr(fetcher, "_pending_tasks", ()),
    ]
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=ABANDON_TIMEOUT_S)
    for task in running:
        if task.done() and not task.cancelled():
            task.exception()  # Its fault is why we are here; unread, asyncio would report it.
    connections = getattr(client, "_client", None) or getattr(client, "client", None)
    if connections is None:
        return
    with contextlib.suppress(TimeoutError, kafka.KafkaError, OSError):
        async with asyncio.timeout(ABANDON_TIMEOUT_S):
            await connections.close()  # `stop` did not come to that.
