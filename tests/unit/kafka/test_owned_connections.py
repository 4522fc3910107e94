"""What aiokafka opens is closed: after a start that was cut off, and after the client's end."""

import asyncio
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.structs import BrokerMetadata

from bridge.kafka import owned_connections
from bridge.kafka.client import ClientConfig, connection_kwargs


class Connection:
    """Answers nothing; open until closed."""

    def __init__(self, asked: asyncio.Event) -> None:
        self.open = True
        self.asked = asked

    def connected(self) -> bool:
        return self.open

    async def send(self, request: object) -> object:
        self.asked.set()
        return await asyncio.Event().wait()

    def close(self, reason: object = None) -> "asyncio.Future[None]":
        self.open = False
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ended.set_result(None)
        return ended


class Broker:
    """Lets itself be connected to once the gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.knocked = asyncio.Event()
        self.asked = asyncio.Event()
        self.connections: list[Connection] = []

    async def connect(self, *_: Any, **__: Any) -> Connection:
        self.knocked.set()
        await self.gate.wait()
        self.connections.append(Connection(self.asked))
        return self.connections[-1]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """Whom every client of aiokafka reaches in this test."""
    made = Broker()
    monkeypatch.setattr(owned_connections, "create_conn", made.connect)
    return made


def client_of_one_broker(monkeypatch: pytest.MonkeyPatch) -> AIOKafkaClient:
    client = AIOKafkaClient(**connection_kwargs(ClientConfig(brokers=["broker:9092"])))
    monkeypatch.setattr(
        ClusterMetadata, "broker_metadata", lambda *_: BrokerMetadata(1, "broker", 9092, None)
    )
    return client


async def test_bootstrap_cut_off_while_it_asks_leaves_no_connection(broker: Broker) -> None:
    """A start that takes longer than its time is cancelled where aiokafka does not look."""
    client = AIOKafkaClient(**connection_kwargs(ClientConfig(brokers=["broker:9092"])))
    broker.gate.set()
    start = asyncio.ensure_future(client.bootstrap())
    await broker.asked.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await client.close()

    assert [one.open for one in broker.connections] == [False]


async def test_client_closed_while_a_routine_connects_keeps_no_connection(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes about after `close` is closed at once, and its user hears: not reachable."""
    client = client_of_one_broker(monkeypatch)
    routine = asyncio.ensure_future(client._get_conn(1))
    await broker.knocked.wait()
    await client.close()
    broker.gate.set()

    assert await routine is None
    assert [one.open for one in broker.connections] == [False]


async def test_client_that_is_closed_connects_no_more(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A routine that outlives its client finds nobody, as with a broker that is away."""
    client = client_of_one_broker(monkeypatch)
    broker.gate.set()
    found = await client._get_conn(1)
    assert found is broker.connections[0]
    assert found.open
    await client.close()

    assert await client._get_conn(1) is None
    assert [one.open for one in broker.connections] == [False]


async def test_own_connections_twice_wraps_once(broker: Broker) -> None:
    """Each new client asks for it."""
    connection_kwargs(ClientConfig())
    bootstrap = AIOKafkaClient.bootstrap
    connection_kwargs(ClientConfig())

    assert AIOKafkaClient.bootstrap is bootstrap
