"""Pauses between attempts to connect to a broker that does not let itself be connected to."""

import random
import time
from collections.abc import Callable
from typing import Any, Final

PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 1.0
"""Kafka's own clients wait as long at most (``reconnect.backoff.max.ms``)."""


def pace_connections(
    client: Any,
    now_s: Callable[[], float] = time.monotonic,
    draw: Callable[[], float] = random.random,
) -> None:
    """
    Let aiokafka's *client* wait after a failed connect, longer after each to the same broker.

    It has no such pause: each of its routines (fetching, heartbeats, looking for the coordinator,
    metadata, sending) tries for itself every ``retry_backoff_ms``, which was 100 attempts a second
    from two processes at three brokers. Asked within the pause, a broker counts as not reachable,
    which is what the routines hear of a broker that refuses at once.
    """
    connect = client._get_conn
    # What changes: failures in a row, and until when no attempt is made, by broker.
    pauses: dict[Any, tuple[int, float]] = {}

    async def get_conn(node_id: Any, **options: Any) -> Any:
        failures, until_s = pauses.get(node_id, (0, 0.0))
        if now_s() < until_s and not _connected(client, node_id, options.get("group")):
            return None
        found = await connect(node_id, **options)
        if found is not None and _is_closed(found):
            # It was reset, and nobody has read that yet: writing to it raises what ends routines.
            found.close()
            found = None
        if found is not None:
            pauses.pop(node_id, None)
        else:
            pause_s = min(PAUSE_FIRST_S * 2.0 ** min(failures, 10), PAUSE_MAX_S)
            pauses[node_id] = failures + 1, now_s() + pause_s * (0.5 + draw() / 2)
        return found

    client._get_conn = get_conn


def _is_closed(connection: Any) -> bool:
    writer = getattr(connection, "_writer", None)
    return writer is not None and writer.transport.is_closing()


def _connected(client: Any, node_id: Any, group: Any) -> bool:
    return any(
        node == node_id and (group is None or used_for == group) and connection.connected()
        for (node, used_for), connection in client._conns.items()
    )
