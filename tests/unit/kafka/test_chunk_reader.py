"""A reader that keeps pieces reads what asyncio's reads."""

import asyncio
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.kafka import chunk_reader
from bridge.kafka.chunk_reader import ChunkReader, read_in_chunks


class Transport:
    """Notes whether it is read from."""

    def __init__(self) -> None:
        self.reading = True
        self.turns = 0

    def pause_reading(self) -> None:
        self.reading, self.turns = False, self.turns + 1

    def resume_reading(self) -> None:
        self.reading = True


def reader(limit: int = 1) -> ChunkReader:
    """One with a transport."""
    made = ChunkReader(limit, asyncio.get_running_loop())
    made.set_transport(Transport())  # type: ignore[arg-type]  # As much of one as is used.
    return made


@given(
    pieces=st.lists(st.binary(max_size=12), max_size=12),
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=12),
)
@settings(max_examples=200, deadline=None)
def test_any_pieces_are_read_as_by_asyncio(pieces: list[bytes], sizes: list[int]) -> None:
    """The same bytes, the same end, the same error with the same rest."""

    async def read(made: asyncio.StreamReader) -> list[object]:
        for piece in pieces:
            made.feed_data(piece)
        made.feed_eof()
        found: list[object] = []
        for size in sizes:
            try:
                found.append(await made.readexactly(size))
            except asyncio.IncompleteReadError as error:
                found.append(("short", error.partial, error.expected))
            found.append(made.at_eof())
        return found

    async def both() -> list[list[object]]:
        loop = asyncio.get_running_loop()
        return [await read(ChunkReader(1 << 16, loop)), await read(asyncio.StreamReader())]

    ours, theirs = asyncio.run(both())
    assert ours == theirs


async def test_reader_waits_for_what_is_missing() -> None:
    """Pieces that come later wake it."""
    made = reader()
    reading = asyncio.create_task(made.readexactly(5))
    for piece in (b"ab", b"c", b"defg"):
        await asyncio.sleep(0)
        assert not reading.done()
        made.feed_data(piece)

    assert await reading == b"abcde"
    assert await made.readexactly(2) == b"fg"


async def test_full_reader_leaves_the_socket_alone_until_it_was_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory is bounded by what is waited for, not by what a broker sends."""
    monkeypatch.setattr(chunk_reader, "HELD_BYTES_MAX", 20)
    made = reader()
    transport: Any = made._transport
    made.feed_data(b"x" * 21)

    assert not transport.reading
    await made.readexactly(5)
    assert not transport.reading
    await made.readexactly(10)
    assert transport.reading


async def test_answer_longer_than_the_bound_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for more than may be held must get it."""
    monkeypatch.setattr(chunk_reader, "HELD_BYTES_MAX", 20)
    made = reader()
    transport: Any = made._transport
    made.feed_data(b"x" * 30)
    reading = asyncio.create_task(made.readexactly(50))
    await asyncio.sleep(0)

    assert transport.reading
    made.feed_data(b"y" * 30)
    assert await reading == b"x" * 30 + b"y" * 20


async def test_lost_connection_reaches_the_reader() -> None:
    """As an error, whether it waits or comes later."""
    made = reader()
    reading = asyncio.create_task(made.readexactly(5))
    await asyncio.sleep(0)
    made.set_exception(ConnectionResetError("gone"))

    for attempt in (reading, made.readexactly(1)):
        with pytest.raises(ConnectionResetError):
            await attempt


def test_connections_of_aiokafka_read_by_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Done once. A version of aiokafka that names its reader otherwise fails here."""
    original: Any = AIOKafkaConnection.connect
    monkeypatch.setattr(AIOKafkaConnection, "connect", original)
    read_in_chunks()
    patched: Any = AIOKafkaConnection.connect
    read_in_chunks()

    assert AIOKafkaConnection.connect is patched
    assert patched.__globals__["asyncio"].StreamReader is ChunkReader
    assert {"asyncio", "StreamReader", "StreamWriter"} <= set(patched.__code__.co_names)
