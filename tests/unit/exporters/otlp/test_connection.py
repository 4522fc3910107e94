"""One HTTP/2 connection against a server that the test plays frame by frame."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from bridge.core import Deadline, Refused, SystemClock, Unavailable
from bridge.exporters.otlp.channel import Channel
from bridge.exporters.otlp.connection import Connection
from bridge.options import Endpoint

HEADERS = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/x"),
    (b":authority", b"test"),
]
OK = [(":status", "200"), ("content-type", "application/grpc")]
DONE = [("grpc-status", "0")]


class Server:
    """An HTTP/2 server that does what *play* says with each event."""

    def __init__(self, play: Callable[["Server", Event], None], **settings: int) -> None:
        self.play = play
        self.settings = settings
        self.connections = 0
        self.received: dict[int, bytes] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.h2: H2Connection
        self.writer: asyncio.StreamWriter

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.writer = writer
        self.h2.initiate_connection()
        if self.settings:
            self.h2.update_settings(
                {SettingCodes[name.upper()]: value for name, value in self.settings.items()}
            )
        self.flush()
        try:
            with suppress(OSError):
                await self.read(reader)
        finally:
            writer.transport.abort()

    async def read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(1 << 16):
            for event in self.h2.receive_data(data):
                if isinstance(event, DataReceived):
                    size = event.flow_controlled_length
                    self.h2.acknowledge_received_data(size, event.stream_id)
                    before = self.received.get(event.stream_id, b"")
                    self.received[event.stream_id] = before + event.data
                self.play(self, event)
            self.flush()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.writer.write(data)

    def answer(self, stream_id: int, body: bytes = b"yes") -> None:
        self.h2.send_headers(stream_id, OK)
        self.h2.send_data(stream_id, body)
        self.h2.send_headers(stream_id, DONE, end_stream=True)
        self.flush()

    def go_away(self, last_stream_id: int) -> None:
        # As a frame, since the library's own side closes with it.
        self.flush()
        self.writer.write(GoAwayFrame(0, last_stream_id, 0).serialize())


def echo(server: Server, event: Event) -> None:
    if isinstance(event, StreamEnded):
        server.answer(event.stream_id)


@asynccontextmanager
async def connected(server: Server, answer_bytes_max: int = 1000) -> AsyncIterator[Connection]:
    async with running(server) as port:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection("backend", answer_bytes_max, lambda: None), "127.0.0.1", port
        )
        try:
            yield connection
        finally:
            connection.abort("test is over")
            await connection.wait_closed()


@asynccontextmanager
async def running(server: Server, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Tasks of our own: those that the library makes complain when they are cancelled.
        server.tasks.append(asyncio.create_task(server.serve(reader, writer)))

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)
        await asyncio.sleep(0)  # Aborted sockets close in the next turn.


def channel(port: int, **keys: object) -> Channel:
    values = {"tls": None, "connections_max": 1, "answer_bytes_max": 1000, "clock": SystemClock()}
    return Channel(Endpoint("127.0.0.1", port), **{**values, **keys})  # type: ignore[arg-type]


async def close(one: Channel) -> None:
    await one.stop(Deadline.after(1, SystemClock()))


async def test_call_brings_headers_body_and_trailers() -> None:
    """One call gives what the server sent on its stream."""
    server = Server(echo)
    async with connected(server) as connection:
        answer = await connection.call(HEADERS, b"hello")

    assert answer.headers[b":status"] == b"200"
    assert (bytes(answer.body), answer.trailers) == (b"yes", {b"grpc-status": b"0"})
    assert server.received == {1: b"hello"}


async def test_large_message_obeys_flow_control() -> None:
    """A message beyond the server's window arrives whole, as the window is opened."""
    server = Server(echo)
    message = bytes(range(256)) * 4000
    async with connected(server) as connection:
        await asyncio.gather(*(connection.call(HEADERS, message) for _ in range(3)))

    assert [message] * 3 == [server.received[stream_id] for stream_id in (1, 3, 5)]


async def test_answers_come_in_any_order() -> None:
    """Concurrent calls each get the answer of their own stream."""
    waiting: list[int] = []

    def backwards(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded):
            waiting.append(event.stream_id)
            if len(waiting) == 3:
                for stream_id in reversed(waiting):
                    server.answer(stream_id, b"%d" % stream_id)

    async with connected(Server(backwards)) as connection:
        answers = await asyncio.gather(*(connection.call(HEADERS, b"x") for _ in range(3)))

    assert [bytes(answer.body) for answer in answers] == [b"1", b"3", b"5"]


async def test_goaway_lets_calls_finish() -> None:
    """A call that the server still answers after GOAWAY succeeds; the connection then closes."""

    def leaving(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded):
            server.go_away(event.stream_id)
            server.answer(event.stream_id)

    async with connected(Server(leaving)) as connection:
        answer = await connection.call(HEADERS, b"x")
        assert not connection.usable
        await connection.wait_closed()

    assert bytes(answer.body) == b"yes"


async def test_call_beyond_goaway_uses_a_new_connection() -> None:
    """What the server never looked at is sent again at once, and only once."""

    def play(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded):
            if server.connections == 1:
                server.go_away(0)
            else:
                server.answer(event.stream_id)

    server = Server(play)
    async with running(server) as port:
        one = channel(port)
        answer = await one.call(HEADERS, b"x", 5.0)
        await close(one)

    assert bytes(answer.body) == b"yes"
    assert server.connections == 2


async def test_refused_stream_is_repeated_at_once() -> None:
    """REFUSED_STREAM promises that nothing was done, so the call is made again."""
    refused: list[int] = []

    def play(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded):
            if not refused:
                refused.append(event.stream_id)
                server.h2.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
            else:
                server.answer(event.stream_id)

    async with running(Server(play)) as port:
        one = channel(port)
        assert bytes((await one.call(HEADERS, b"x", 5.0)).body) == b"yes"
        await close(one)


async def test_stream_always_refused_is_unavailable() -> None:
    """Repeating at once ends after a few attempts."""

    def play(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded):
            server.h2.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)

    server = Server(play)
    async with running(server) as port:
        one = channel(port)
        with pytest.raises(Unavailable, match="refused the stream"):
            await one.call(HEADERS, b"x", 5.0)
        await close(one)
    assert len(server.received) == 3


async def test_reset_stream_is_unavailable() -> None:
    """Another reset may come after the work was done: the caller decides."""

    def play(server: Server, event: Event) -> None:
        if isinstance(event, RequestReceived):
            server.h2.reset_stream(event.stream_id, ErrorCodes.INTERNAL_ERROR)

    async with connected(Server(play)) as connection:
        with pytest.raises(Unavailable, match="INTERNAL_ERROR"):
            await connection.call(HEADERS, b"x")


async def test_lost_connection_fails_its_calls() -> None:
    """A connection that ends takes its calls with it; the next call opens another."""

    def play(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded):
            if server.connections == 1:
                server.writer.transport.abort()
            else:
                server.answer(event.stream_id)

    async with running(Server(play)) as port:
        one = channel(port)
        with pytest.raises(Unavailable, match="was lost"):
            await one.call(HEADERS, b"x", 5.0)
        assert bytes((await one.call(HEADERS, b"x", 5.0)).body) == b"yes"
        await close(one)


async def test_silent_connection_is_replaced() -> None:
    """After a call timed out without a byte the next one uses another connection."""

    def play(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded) and server.connections > 1:
            server.answer(event.stream_id)

    server = Server(play)
    async with running(server) as port:
        one = channel(port)
        # The hello of the server may still count as a sign of life for the first call.
        for _ in range(2):
            with suppress(Unavailable):
                await one.call(HEADERS, b"x", 0.2)
        assert bytes((await one.call(HEADERS, b"x", 5.0)).body) == b"yes"
        await close(one)
    assert server.connections == 2


async def test_too_many_streams_wait_for_room() -> None:
    """No more calls run than the server allows; the others follow."""
    open_max = 0
    waiting: list[int] = []

    def play(server: Server, event: Event) -> None:
        nonlocal open_max
        if isinstance(event, StreamEnded):
            waiting.append(event.stream_id)
            open_max = max(open_max, len(waiting))
            asyncio.get_running_loop().call_later(0.01, lambda: server.answer(waiting.pop(0)))

    async with running(Server(play, max_concurrent_streams=2)) as port:
        one = channel(port)
        await one.call(HEADERS, b"first, so that the settings are known", 5.0)
        await asyncio.gather(*(one.call(HEADERS, b"x", 5.0) for _ in range(9)))
        await close(one)

    assert open_max == 2


async def test_several_connections_are_used() -> None:
    """With connections_max above 1 concurrent calls spread."""
    waiting: list[tuple[Server, int]] = []

    class Many(Server):
        """Connections that do not share their state."""

        async def serve(self, reader, writer) -> None:
            self.connections += 1
            await Server(self.play).serve(reader, writer)

    def play(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded):
            waiting.append((server, event.stream_id))
            if len(waiting) == 6:
                for one, stream_id in waiting:
                    one.answer(stream_id)

    server = Many(play)
    async with running(server) as port:
        one = channel(port, connections_max=3)
        await asyncio.gather(*(one.call(HEADERS, b"x", 5.0) for _ in range(6)))
        await close(one)

    assert 2 <= server.connections <= 3


async def test_oversize_answer_is_refused() -> None:
    """An answer above the limit is cut off, and the connection goes on."""

    def play(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded):
            server.h2.send_headers(event.stream_id, OK)
            server.h2.send_data(event.stream_id, b"x" * (1001 if event.stream_id == 1 else 10))
            if event.stream_id > 1:
                server.h2.send_headers(event.stream_id, DONE, end_stream=True)

    async with connected(Server(play)) as connection:
        with pytest.raises(Refused, match="exceeds 1000"):
            await connection.call(HEADERS, b"x")
        assert len((await connection.call(HEADERS, b"x")).body) == 10


async def test_cancelled_call_resets_its_stream() -> None:
    """A caller that goes tells the server, and leaves the connection usable."""
    resets: list[int] = []

    def play(server: Server, event: Event) -> None:
        if isinstance(event, StreamReset):
            resets.append(event.stream_id)
        if isinstance(event, StreamEnded) and event.stream_id > 1:
            server.answer(event.stream_id)

    async with connected(Server(play)) as connection:
        task = asyncio.create_task(connection.call(HEADERS, b"x"))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.call(HEADERS, b"x")

    assert resets == [1]
    assert connection.calls == 0


class Http1(Server):
    """A server of another protocol."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        try:
            await reader.read()
        finally:
            writer.transport.abort()


async def test_http_1_server_is_told_apart() -> None:
    """A server that speaks HTTP/1.1 is named as such, without a storm of connections."""
    server = Http1(echo)
    async with running(server) as port:
        one = channel(port)
        with pytest.raises(Unavailable, match="not gRPC"):
            await one.call(HEADERS, b"x", 5.0)
        await close(one)

    assert server.connections == 1


async def test_broken_frames_are_a_protocol_error() -> None:
    """Bytes that are no HTTP/2 end the connection, and the error says so."""

    def play(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded):
            # A DATA frame on stream 0 is forbidden.
            server.writer.write(b"\0\0\1\0\0\0\0\0\0x")

    async with connected(Server(play)) as connection:
        with pytest.raises(Unavailable, match="broke the HTTP/2 protocol"):
            await connection.call(HEADERS, b"x")


async def test_absent_backend_is_unavailable() -> None:
    """Nobody listening is an outage with the address in its text."""
    one = channel(9)

    with pytest.raises(Unavailable, match=r"cannot connect to 127\.0\.0\.1:9"):
        await one.call(HEADERS, b"x", 5.0)
    await close(one)


async def test_failed_opening_is_told_to_every_waiter() -> None:
    """Calls that share one attempt to connect each get an error of their own."""
    one = channel(9)
    found = await asyncio.gather(
        *(one.call(HEADERS, b"x", 5.0) for _ in range(3)), return_exceptions=True
    )
    await close(one)

    assert all(isinstance(error, Unavailable) for error in found)
    assert len({id(error) for error in found}) == 3


async def test_plain_text_server_is_told_apart() -> None:
    """TLS towards a plain text server says which key to set."""
    context = ssl.create_default_context()
    async with running(Server(echo)) as port:
        one = channel(port, tls=context)
        with pytest.raises(Unavailable, match=r"insecure: true|cannot connect"):
            await one.call(HEADERS, b"x", 5.0)
        await close(one)


async def test_keepalive_gives_up_a_dead_connection() -> None:
    """A connection without a sign of life is closed, and its calls fail."""

    class Deaf(Server):
        async def serve(self, reader, writer) -> None:
            self.connections += 1
            try:
                while await reader.read(1 << 16):
                    pass
            finally:
                writer.transport.abort()

    async with running(Deaf(echo)) as port:
        one = channel(port, keepalive=(0.05, 0.05, False))
        with pytest.raises(Unavailable, match="no sign of life"):
            await one.call(HEADERS, b"x", 5.0)
        await close(one)


async def test_keepalive_leaves_a_living_connection() -> None:
    """A server that answers pings keeps its slow calls."""

    def play(server: Server, event: Event) -> None:
        if isinstance(event, StreamEnded):
            asyncio.get_running_loop().call_later(0.4, server.answer, event.stream_id)

    async with running(Server(play)) as port:
        one = channel(port, keepalive=(0.05, 0.1, False))
        assert bytes((await one.call(HEADERS, b"x", 5.0)).body) == b"yes"
        await close(one)
