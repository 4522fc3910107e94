"""Connections to brokers end with the client that opened them, however that ends."""

import weakref
from contextvars import ContextVar
from typing import Any

from aiokafka import client as aiokafka_client
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, create_conn

_opened: ContextVar[list[AIOKafkaConnection] | None] = ContextVar("_opened", default=None)
_closed: "weakref.WeakSet[AIOKafkaClient]" = weakref.WeakSet()


def own_connections() -> None:
    """
    Let every client of aiokafka close what it opened; harmless twice.

    It forgets connections in two ways, each of which leaves a socket and a task until they are
    collected: `bootstrap` cancelled while it waits for the cluster's metadata (a start that took
    longer than its time), and a routine that connects while, or after, its client is closed.
    """
    if aiokafka_client.create_conn is _noted_connection:
        return
    aiokafka_client.create_conn = _noted_connection
    bootstrap, get_conn, close = (
        AIOKafkaClient.bootstrap,
        AIOKafkaClient._get_conn,
        AIOKafkaClient.close,
    )

    async def owning_bootstrap(client: AIOKafkaClient) -> None:
        opened: list[AIOKafkaConnection] = []
        token = _opened.set(opened)
        try:
            await bootstrap(client)
        except BaseException:
            _close_all(opened)
            raise
        finally:
            _opened.reset(token)
        if client in _closed:
            _close_all(opened)

    async def owning_get_conn(client: AIOKafkaClient, node_id: Any, **options: Any) -> Any:
        if client in _closed:
            return None
        opened: list[AIOKafkaConnection] = []
        token = _opened.set(opened)
        try:
            found = await get_conn(client, node_id, **options)
        finally:
            _opened.reset(token)
        if client in _closed:
            _close_all(opened)
            return None
        return found

    async def closing(client: AIOKafkaClient) -> None:
        _closed.add(client)
        try:
            await close(client)
        finally:
            _close_all(list(client._conns.values()))

    AIOKafkaClient.bootstrap = owning_bootstrap
    AIOKafkaClient._get_conn = owning_get_conn
    AIOKafkaClient.close = closing


async def _noted_connection(*arguments: Any, **options: Any) -> AIOKafkaConnection:
    connection = await create_conn(*arguments, **options)
    opened = _opened.get()
    if opened is not None:
        opened.append(connection)
    return connection


def _close_all(connections: list[AIOKafkaConnection]) -> None:
    for connection in connections:
        connection.close()
