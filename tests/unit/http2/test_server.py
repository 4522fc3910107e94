"""Listening and stopping."""

import asyncio
import socket
from collections.abc import AsyncIterator
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import Deadline, SystemClock
from bridge.http2 import Http2Limits, Http2Protocol, QuietLog, Server, Timeouts
from bridge.http2.server import http_date
from tests.unit.http2.test_protocol import ENDED, FakeHandler
from tests.unit.http2.wire import OK, OPENING, headers, parse


class Fixture:
    """A server on a real socket."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.handler = FakeHandler()
        self.reasons: list[str] = []
        self.server = Server(
            lambda server: Http2Protocol(server, self.handler, Http2Limits()),
            self.clock,
            Timeouts(),
            connections_max=10,
            count_closed=self.reasons.append,
            log=QuietLog(self.clock),
        )
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        bound = socket.create_server(("127.0.0.1", 0))
        self.port = bound.getsockname()[1]
        await self.server.start([bound], None)

    async def request(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection with one request on its way."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(OPENING + headers(1, flags=ENDED))
        await self.handler.called.wait()
        return reader, writer


@pytest.fixture
async def fixture() -> AsyncIterator[Fixture]:
    """A listening server."""
    fixture = Fixture()
    await fixture.start()
    yield fixture
    await fixture.server.stop(Deadline.after(0, fixture.clock))


async def test_stop_waits_for_requests_in_flight(fixture: Fixture) -> None:
    """The answer still arrives; new connections are refused meanwhile."""
    reader, writer = await fixture.request()

    stopping = asyncio.create_task(fixture.server.stop(Deadline.after(10, fixture.clock)))
    await asyncio.sleep(0)
    try:
        late_reader, late_writer = await asyncio.open_connection("127.0.0.1", fixture.port)
        late = await late_reader.read()
        late_writer.close()
    except ConnectionError:
        late = b""
    fixture.handler.open.set()
    received = await reader.read()
    await stopping
    writer.close()

    assert late == b""
    assert OK.body in [each.payload for each in parse(received)]
    assert set() == fixture.server.connections


async def test_stop_ends_at_its_deadline(fixture: Fixture) -> None:
    """A request that does not finish is cancelled; no task and no connection is left."""
    _, writer = await fixture.request()

    await fixture.server.stop(Deadline.after(0, fixture.clock))
    writer.close()

    assert fixture.handler.cancelled == 1
    assert set() == fixture.server.connections


async def test_stop_is_safe_before_start_and_twice() -> None:
    """Nothing happens where there is nothing to stop."""
    fixture = Fixture()

    await fixture.server.stop(Deadline.after(1, fixture.clock))
    await fixture.server.stop(Deadline.after(1, fixture.clock))

    assert fixture.reasons == []


@given(st.integers(0, 4_102_444_800))
def test_date_is_that_of_the_standard_library(wall_s: int) -> None:
    """Whole seconds from 1970 to 2100; fractions are left out."""
    assert formatdate(wall_s, usegmt=True) == http_date(wall_s) == http_date(wall_s + 0.4)
