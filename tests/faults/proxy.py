"""
A TCP proxy that can be told to misbehave, between any two processes of a scenario.

Packets cannot be dropped in user space. A black hole is imitated by taking what comes and passing
nothing on, until it is healed: neither side sees an error, as on a network that drops silently.
"""

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass, field
from typing import Self

CHUNK_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 5.0
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Network:
    """
    What the proxy does to each chunk; changed while connections are open.

    Args:
        delay_s, jitter_s: Seconds before a chunk is passed on, and up to so many more.
        bytes_per_s: Bandwidth of each connection and direction; 0 for no limit.
        black_hole: Take everything, pass nothing on, tell nobody.
        reset_answers: Reset both sides as soon as the far side answers.
        reset_after_answer_bytes: The same only in the middle, after so many bytes of answers.
        slow_close_s: Seconds for which the end of one side is kept from the other.
        refuse: Reset new connections.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: int = 0
    black_hole: bool = False
    reset_answers: bool = False
    reset_after_answer_bytes: int = 0
    slow_close_s: float = 0.0
    refuse: bool = False


@dataclass(eq=False)
class Link:
    """One connection: the writers towards the side that called, and towards the other."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    answer_bytes: int = 0
    half_open: bool = False

    def reset(self) -> None:
        """Give both sides a reset instead of an end."""
        for writer in (self.near, self.far):
            reset_writer(writer)


class _NearGone(Exception):
    """The side that was left half open has closed."""


def reset_writer(writer: asyncio.StreamWriter) -> None:
    """Close one connection with a reset."""
    with contextlib.suppress(OSError):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    writer.transport.abort()


@dataclass
class Proxy:
    """
    Listens at *port* (0 for a free one) and passes everything on to *target*.

    `network` may be changed at any time. `connections` and `resets` count since the start.
    """

    target: tuple[str, int]
    port: int = 0
    seed: int = 0
    network: Network = field(default_factory=Network)
    connections: int = 0
    resets: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._healed = asyncio.Event()

    @property
    def endpoint(self) -> str:
        """Where to connect to."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close everything. Safe twice."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.reset()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if server is not None:
            await server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def heal(self) -> None:
        """Behave again; what a black hole swallowed is passed on, as retransmissions would."""
        self.network = Network()
        self._healed.set()
        self._healed = asyncio.Event()

    def reset(self) -> None:
        """Reset all open connections."""
        for link in list(self._links):
            self.resets += 1
            link.reset()

    def half_open(self) -> None:
        """End the far side of all connections and tell the near side nothing."""
        for link in list(self._links):
            link.half_open = True
            reset_writer(link.far)

    async def _accept(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, near)
        except asyncio.CancelledError:
            # The server's own task: asyncio would report a cancellation as an error.
            reset_writer(near)
        finally:
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.network.refuse:
            reset_writer(near)
            return
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                far_reader, far = await asyncio.open_connection(*self.target)
        except OSError:
            reset_writer(near)
            return
        link = Link(near, far)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(link, reader, far, answers=False))
                group.create_task(self._pump(link, far_reader, near, answers=True))
        except* _NearGone:
            reset_writer(near)
        finally:
            self._links.discard(link)
            for writer in (near, far):
                writer.close()

    async def _pump(
        self,
        link: Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        answers: bool,
    ) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await self._shape(len(chunk))
                if answers and self._cuts(link, len(chunk)):
                    self.resets += 1
                    link.reset()
                    return
                writer.write(chunk)
                await writer.drain()
            if link.half_open:
                await self._swallow(reader, answers)
            elif self.network.slow_close_s:
                await asyncio.sleep(self.network.slow_close_s)
            writer.write_eof()
        except OSError:
            if link.half_open:
                await self._swallow(reader, answers)
            # One side was reset: so is the other.
            link.reset()

    async def _swallow(self, reader: asyncio.StreamReader, answers: bool) -> None:
        """Take what the near side says to nobody, until it gives up."""
        if answers:
            await asyncio.Event().wait()  # Until the other direction ends the connection.
        with contextlib.suppress(OSError):
            while await reader.read(CHUNK_BYTES):
                pass
        raise _NearGone

    def _cuts(self, link: Link, size: int) -> bool:
        link.answer_bytes += size
        after = self.network.reset_after_answer_bytes
        return self.network.reset_answers or bool(after and link.answer_bytes >= after)

    async def _shape(self, size: int) -> None:
        network = self.network
        pause_s = network.delay_s + network.jitter_s * self._dice.random()
        if network.bytes_per_s:
            pause_s += size / network.bytes_per_s
        if pause_s:
            await asyncio.sleep(pause_s)
        while self.network.black_hole:
            await self._healed.wait()
