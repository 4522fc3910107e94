"""Connections that go from one worker to another, over real sockets."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from bridge.service.connection_sharing import (
    ConnectionSharing,
    Exchange,
    SharingPlan,
    make_exchange,
)
from bridge.service.connection_table import ABSENT

pytestmark = pytest.mark.skipif(
    not hasattr(os, "memfd_create"), reason="connections are passed on where Linux is"
)

NAME = "otlp/grpc"


def inherited(plan: SharingPlan) -> SharingPlan:
    """*plan* as a process of its own would have it: with file descriptors of its own."""
    return replace(
        plan,
        table=os.dup(plan.table),
        inbox=os.dup(plan.inbox),
        outboxes=tuple(map(os.dup, plan.outboxes)),
    )


class Listener:
    """A worker's listener that serves for ever."""

    def __init__(self, sharing: ConnectionSharing) -> None:
        self.served: list[socket.socket] = []
        self.came = asyncio.Event()
        self.share = sharing.join(NAME, "grpc", self.take)
        self.share.count(0)

    def take(self, accepted: socket.socket) -> None:
        self.served.append(accepted)
        self.share.count(len(self.served))
        self.came.set()

    def accept(self, accepted: socket.socket) -> None:
        if not self.share.pass_on(accepted):
            self.take(accepted)


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """Of two workers."""
    made = make_exchange(2)
    assert made is not None
    yield made
    made.close()


@pytest.fixture
async def workers(exchange: Exchange) -> AsyncIterator[list[ConnectionSharing]]:
    """Both of them, in this process."""
    made = [ConnectionSharing(inherited(exchange.plan(number))) for number in range(2)]
    yield made
    for worker in made:
        worker.close()


def connections(number: int) -> list[tuple[socket.socket, socket.socket]]:
    """Ends of clients and what was accepted of them."""
    return [socket.socketpair() for _ in range(number)]


def close(*listeners: Listener) -> None:
    for listener in listeners:
        listener.share.close()
        for each in listener.served:
            each.close()


async def test_burst_at_one_worker_is_served_by_both(workers: list[ConnectionSharing]) -> None:
    """The client's end goes on as if nothing had happened."""
    first, second = map(Listener, workers)
    pairs = connections(16)
    for _, accepted in pairs:
        first.accept(accepted)
    await second.came.wait()

    assert (len(first.served), len(second.served)) == (8, 8)
    for client, _ in pairs:
        client.sendall(b"hello")
    for each in (*first.served, *second.served):
        each.setblocking(True)
        assert each.recv(5) == b"hello"
        each.sendall(b"answer")
    assert {client.recv(6) for client, _ in pairs} == {b"answer"}
    close(first, second)
    for client, _ in pairs:
        client.close()


async def test_worker_without_that_listener_is_passed_over(
    workers: list[ConnectionSharing],
) -> None:
    """It has not begun to listen, or does so no more."""
    first, second = map(Listener, workers)
    second.share.close()
    pairs = connections(4)
    for _, accepted in pairs:
        first.accept(accepted)

    assert len(first.served) == 4
    close(first, second)
    for client, _ in pairs:
        client.close()


async def test_what_a_dead_worker_had_not_fetched_is_closed(exchange: Exchange) -> None:
    """Its client connects again at once, and nobody sends it more."""
    alive, dead = (ConnectionSharing(inherited(exchange.plan(number))) for number in range(2))
    first, second = Listener(alive), Listener(dead)
    pairs = connections(4)
    for _, accepted in pairs:
        first.accept(accepted)
    # Not a turn of the loop since: nothing was fetched.
    assert (len(first.served), len(second.served)) == (2, 0)
    dead._loop.remove_reader(dead._inbox)
    exchange.ended(1)
    ended = [client for client, _ in pairs if _is_closed(client)]
    again = connections(1)
    first.accept(again[0][1])

    assert len(ended) == 2
    assert len(first.served) == 3
    close(first, second)
    alive.close()
    dead.close()
    for client, _ in (*pairs, *again):
        client.close()


async def test_connection_for_a_listener_that_has_just_closed_is_closed(
    workers: list[ConnectionSharing],
) -> None:
    """Between the count and the arrival a reload may lie."""
    first, second = map(Listener, workers)
    (client, accepted), (other, kept) = connections(2)
    first.accept(kept)
    first.accept(accepted)
    second.share.close()
    client.setblocking(False)

    assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
    close(first, second)
    client.close()
    other.close()


async def test_successor_of_a_reload_takes_over(workers: list[ConnectionSharing]) -> None:
    """The former one closes later; what is passed on goes to the new one meanwhile."""
    first, former = map(Listener, workers)
    successor = Listener(workers[1])
    former.share.close()
    pairs = connections(2)
    for _, accepted in pairs:
        first.accept(accepted)
    await successor.came.wait()

    assert (len(first.served), len(former.served), len(successor.served)) == (1, 0, 1)
    close(first, former, successor)
    for client, _ in pairs:
        client.close()


async def test_listener_that_closes_counts_no_longer(
    exchange: Exchange, workers: list[ConnectionSharing]
) -> None:
    """Another of its kind goes on, with its own connections alone."""
    first = workers[0].join("otlp/grpc", "grpc", lambda accepted: accepted.close())
    second = workers[0].join("otlp/2/grpc", "grpc", lambda accepted: accepted.close())
    first.count(5)
    second.count(1)
    assert exchange._table.load("grpc", 0) == 6
    first.close()
    assert exchange._table.load("grpc", 0) == 1
    second.close()

    assert exchange._table.load("grpc", 0) == ABSENT


async def test_worker_whose_inbox_is_full_is_not_waited_for(
    workers: list[ConnectionSharing],
) -> None:
    """A hung worker takes nothing: the others serve what they accepted."""
    first, second = map(Listener, workers)
    workers[1]._loop.remove_reader(workers[1]._inbox)
    workers[0]._outboxes[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    pairs = connections(60)
    for _, accepted in pairs:
        first.accept(accepted)

    assert 30 < len(first.served) < 60
    close(first, second)
    for client, _ in pairs:
        client.close()


def test_one_worker_shares_with_nobody() -> None:
    """Nor does a system without the means."""
    assert make_exchange(1) is None


def _is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
