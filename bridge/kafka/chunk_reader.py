"""
Reading what brokers answer without copying it three times.

asyncio's reader appends each piece to one buffer, cuts an answer out of it and moves the rest to
the front. Fetched megabytes are better kept as the pieces they came in and joined once.
"""

import asyncio
import types
from collections import deque
from typing import Any

from aiokafka import conn
from aiokafka.conn import AIOKafkaConnection

HELD_BYTES_MAX = 1 << 20
"""Bytes that may lie unread before the socket is left alone; an answer may be longer."""


class ChunkReader(asyncio.StreamReader):
    """A reader for `readexactly` alone: whatever else a stream reader has must not be used."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=max(limit, HELD_BYTES_MAX // 2), loop=loop)
        # What changes: the pieces that came, and how many bytes they are.
        self._pieces: deque[bytes] = deque()
        self._held_bytes = 0

    def at_eof(self) -> bool:
        """Whether everything was read and nothing more will come."""
        return self._eof and not self._held_bytes

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # Sockets give bytes.
        """Take a piece. Called by the protocol."""
        if not data:
            return
        self._pieces.append(data)
        self._held_bytes += len(data)
        self._wakeup_waiter()
        if self._held_bytes > 2 * self._limit and self._transport is not None and not self._paused:
            self._transport.pause_reading()
            self._paused = True

    async def readexactly(self, n: int) -> bytes:
        """
        Wait for *n* bytes and take them.

        Raises:
            IncompleteReadError: If the connection ends before; with what there was.
            Exception: Whatever ended the connection.
        """
        if self._exception is not None:
            raise self._exception
        while self._held_bytes < n:
            if self._eof:
                raise asyncio.IncompleteReadError(self._take(self._held_bytes), n)
            await self._wait_for_data("readexactly")
        found = self._take(n)
        if self._paused and self._held_bytes <= self._limit and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return found

    def _take(self, count: int) -> bytes:
        taken: list[bytes | memoryview] = []
        left, pieces = count, self._pieces
        while left:
            piece = pieces.popleft()
            if len(piece) > left:
                view = memoryview(piece)
                taken.append(view[:left])
                # Cut, not viewed: what is left of a piece must not keep all of it alive for long.
                pieces.appendleft(bytes(view[left:]))
                left = 0
            else:
                taken.append(piece)
                left -= len(piece)
        self._held_bytes -= count
        return b"".join(taken)

    # What mypy cannot see of the base class, and we rely on.
    _eof: bool
    _exception: Exception | None
    _limit: int
    _paused: bool
    _transport: asyncio.Transport | None
    _wakeup_waiter: Any
    _wait_for_data: Any


def read_in_chunks() -> None:
    """
    Let aiokafka's connections that are opened from now on read by `ChunkReader`; harmless twice.

    aiokafka names the reader inside of the method that connects, so the method gets a copy in which
    that name means ours.
    """
    function: Any = AIOKafkaConnection.connect
    if isinstance(function.__globals__.get("asyncio"), types.SimpleNamespace):
        return
    streams = types.SimpleNamespace(StreamReader=ChunkReader, StreamWriter=asyncio.StreamWriter)
    names = {**vars(conn), "asyncio": streams}
    AIOKafkaConnection.connect = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
