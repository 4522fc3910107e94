"""A server that spreads its connections over workers."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.core import Deadline, Take
from bridge.http2 import acceptor as module
from tests.faults.certificates import Authority
from tests.unit.http2.test_server import Fixture


class Share:
    """Gives every other connection away, if told to."""

    def __init__(self) -> None:
        self.take: Take | None = None
        self.passes = False
        self.passed: list[socket.socket] = []
        self.counts: list[int] = []
        self.closed = False

    def join(self, take: Take) -> "Share":
        self.take = take
        return self

    def pass_on(self, accepted: socket.socket) -> bool:
        if self.passes and len(self.passed) <= self.counts[-1]:
            self.passed.append(accepted)
            return True
        return False

    def count(self, connections: int) -> None:
        self.counts.append(connections)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def share() -> Share:
    """Of the server."""
    return Share()


@pytest.fixture
async def fixture(share: Share) -> AsyncIterator[Fixture]:
    """A server that listens with it."""
    made = Fixture()
    bound = socket.create_server(("127.0.0.1", 0))
    made.port = bound.getsockname()[1]
    await made.server.start([bound], None, share.join)
    yield made
    await made.server.stop(Deadline.after(0, made.clock))


async def wait_for_count(share: Share, count: int) -> None:
    async with asyncio.timeout(10):
        while share.counts[-1] != count:  # noqa: ASYNC110 - told by a plain list
            await asyncio.sleep(0.001)


async def test_connections_of_its_turn_are_served_and_counted(
    fixture: Fixture, share: Share
) -> None:
    """A request is answered, and the count goes down when the sender leaves."""
    fixture.handler.open.set()
    reader, writer = await fixture.request()
    assert await reader.read(1)
    await wait_for_count(share, 1)
    writer.close()
    await wait_for_count(share, 0)

    # The connection was never counted twice on its way.
    assert max(share.counts) == 1


async def test_connections_of_anothers_turn_are_passed_on(fixture: Fixture, share: Share) -> None:
    """They are not touched here."""
    share.passes = True
    clients = [await asyncio.open_connection("127.0.0.1", fixture.port) for _ in range(4)]
    await wait_for_count(share, 2)

    assert len(share.passed) == 2
    assert len(fixture.server.connections) == 2
    for each in share.passed:
        each.close()
    for _, writer in clients:
        writer.close()


async def test_connection_that_another_accepted_is_served(fixture: Fixture, share: Share) -> None:
    """As one of its own."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        client = socket.create_connection(elsewhere.getsockname())
        accepted, _ = elsewhere.accept()
    assert share.take is not None
    share.take(accepted)
    await wait_for_count(share, 1)
    reader, writer = await asyncio.open_connection(sock=client)

    # The server speaks first: its settings.
    assert await reader.read(1)
    writer.close()


async def test_stop_leaves_the_others_and_the_port(fixture: Fixture, share: Share) -> None:
    """Who connects from then on is refused by the system."""
    await fixture.server.stop(Deadline.after(0, fixture.clock))

    assert share.closed
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", fixture.port)


class Exhausted(socket.socket):
    """A listener of a process that has no file descriptor left, at first."""

    failures = 3

    def accept(self) -> tuple[socket.socket, object]:
        if Exhausted.failures:
            Exhausted.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_accepting_goes_on_once_there_are_files_again(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It pauses instead of turning in circles."""
    monkeypatch.setattr(module, "_PAUSE_S", 0.01)
    fixture = Fixture()
    Exhausted.failures = 3
    bound = Exhausted()
    bound.bind(("127.0.0.1", 0))
    fixture.port = bound.getsockname()[1]
    await fixture.server.start([bound], None, share.join)
    _, writer = await asyncio.open_connection("127.0.0.1", fixture.port)
    await wait_for_count(share, 1)

    assert Exhausted.failures == 0
    writer.close()
    await fixture.server.stop(Deadline.after(0, fixture.clock))


async def test_handshake_that_fails_is_counted_no_longer(share: Share, tmp_path: Path) -> None:
    """Somebody speaks plainly to a port with TLS; somebody with TLS is served."""
    fixture = Fixture()
    bound = socket.create_server(("127.0.0.1", 0))
    fixture.port = bound.getsockname()[1]
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("bridge"))
    await fixture.server.start([bound], context, share.join)
    _, plain = await asyncio.open_connection("127.0.0.1", fixture.port)
    await wait_for_count(share, 1)
    plain.write(b"GET / HTTP/1.1\r\n\r\n")
    await wait_for_count(share, 0)
    trusting = ssl.create_default_context(cafile=authority.file)
    reader, writer = await asyncio.open_connection("127.0.0.1", fixture.port, ssl=trusting)

    assert await reader.read(1)
    assert share.counts[-1] == 1
    writer.close()
    plain.close()
    await fixture.server.stop(Deadline.after(0, fixture.clock))
