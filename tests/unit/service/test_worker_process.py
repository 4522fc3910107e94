"""The parent's handle of a worker, over a real pair of sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from bridge.service import worker_process
from bridge.service.worker_link import STATUS, read_frame, write_frame
from bridge.service.worker_process import NoAnswer, WorkerProcess


class Ended:
    """A process that only has an end."""

    pid = 7

    async def wait(self) -> int:
        """Nothing went wrong."""
        return 0


class Pair:
    """The handle, and the side of the worker."""

    def __init__(
        self,
        handle: WorkerProcess,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.handle = handle
        self.reader = reader
        self.writer = writer

    async def answer(self, told: Any) -> bytes:
        """Take one question and answer it."""
        asked = await read_frame(self.reader)
        await write_frame(self.writer, json.dumps(told).encode())
        return asked


@pytest.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    """A handle that has little patience."""
    monkeypatch.setattr(worker_process, "ANSWER_TIMEOUT_S", 0.05)
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    handle = WorkerProcess(cast(Any, Ended()), *await asyncio.open_unix_connection(sock=ours))
    yield Pair(handle, reader, writer)
    await handle.wait()
    writer.close()
    await writer.wait_closed()


async def test_late_answer_is_not_taken_for_the_next(pair: Pair) -> None:
    """A worker that was too slow once answers the next question as itself."""
    with pytest.raises(NoAnswer, match="TimeoutError"):
        await pair.handle.ask(STATUS)
    await pair.answer("late")
    asking = asyncio.create_task(pair.handle.ask(STATUS))
    await pair.answer("now")

    assert await asking == "now"


async def test_question_that_was_cancelled_leaves_the_link_in_step(pair: Pair) -> None:
    """Whoever gave up waiting spoils nothing for others."""
    asking = asyncio.create_task(pair.handle.ask(STATUS))
    assert await read_frame(pair.reader) == STATUS
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    pair.writer.write(b"\0\0\0\3")
    asking = asyncio.create_task(pair.handle.ask(STATUS))
    pair.writer.write(b'"a"')
    await pair.answer("b")

    assert await asking == "b"


async def test_worker_that_stays_silent_is_asked_in_vain(pair: Pair) -> None:
    """Each question ends in its time; nobody queues up more of them."""
    for _ in range(3):
        with pytest.raises(NoAnswer, match="TimeoutError"):
            await pair.handle.ask(STATUS)

    assert await read_frame(pair.reader) == STATUS
    assert not pair.reader._buffer  # type: ignore[attr-defined] # only one was asked


async def test_end_of_the_worker_is_no_answer(pair: Pair) -> None:
    """Now, and each time after."""
    pair.writer.close()
    for _ in range(2):
        with pytest.raises(NoAnswer, match=r"IncompleteReadError|ConnectionResetError|BrokenPipe"):
            await pair.handle.ask(STATUS)
