"""The parent's handle of one worker process."""

import asyncio
import contextlib
import json
import pickle
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from typing import Any

from bridge.service.worker_link import WorkerPlan, read_frame, write_frame

ANSWER_TIMEOUT_S = 5.0
"""Time for one answer. A worker's loop turns within milliseconds; a busy machine needs more."""

_KILL_GRACE_S = 5.0

_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from bridge.core import put_off, start_lean; start_lean(); "
    "put_off('bridge.wire.otlp_json'); "
    "from bridge.service.worker import main; raise SystemExit(main())"
)
"""
As ``-m bridge.service.worker``, which would import everything before it can start lean, and with
our own path: ``-c`` would look in the working directory first, whatever lies there.
"""


class NoAnswer(Exception):
    """The worker has ended or does not answer in time."""


class WorkerProcess:
    """
    A started worker.

    It leads a session of its own, so that Ctrl-C in a terminal reaches the parent alone, which
    passes it on once: a second signal would end a worker without draining.
    """

    def __init__(
        self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        # What changes: the answer that is still to come, if nobody waited for it to the end.
        self._owed: asyncio.Task[bytes] | None = None

    @classmethod
    async def start(cls, plan: WorkerPlan) -> "WorkerProcess":
        """
        Start the process and tell it what to do.

        Raises:
            OSError: If the system starts no process.
            NoAnswer: If it ends before it was told.
        """
        program = _PROGRAM.format(path=sys.path)
        ours, theirs = socket.socketpair()
        inherited = () if plan.sharing is None else plan.sharing.files
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", program, str(theirs.fileno())),
                stdin=DEVNULL,
                pass_fds=(theirs.fileno(), *inherited),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        worker = cls(process, *await asyncio.open_unix_connection(sock=ours))
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await write_frame(worker._writer, pickle.dumps(plan))
        except BaseException as error:
            worker.kill()
            await worker.wait()
            if isinstance(error, OSError):  # TimeoutError is one of them
                raise NoAnswer(f"pid {process.pid} did not take its plan: {error!r}") from error
            raise
        return worker

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def ask(self, question: bytes) -> Any:
        """
        One answer, of a worker that has five seconds for it.

        A timeout or a cancellation leaves an answer owed, which the next question waits for and
        passes over: a worker that was slow once, as at its start on a busy machine, goes on.

        Raises:
            NoAnswer: See there.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    if self._owed is not None:
                        await asyncio.shield(self._owed)
                    # Reading goes on when waiting ends, or the next frame would begin anywhere.
                    self._owed = asyncio.create_task(read_frame(self._reader))
                    await write_frame(self._writer, question)
                    answer = json.loads(await asyncio.shield(self._owed))
                    self._owed = None
                    return answer
            except (EOFError, OSError, ValueError) as error:
                raise NoAnswer(f"pid {self.pid}: {error!r}") from error

    async def wait(self) -> int:
        """The exit code, negative for a signal, once the process has ended."""
        code = await self._process.wait()
        if self._owed is not None:
            self._owed.cancel()
            await asyncio.gather(self._owed, return_exceptions=True)
        self._writer.close()
        return code

    async def stop(self, timeout_s: float) -> None:
        """Let it drain for *timeout_s* seconds, and five more, before it is killed."""
        self.terminate()
        try:
            async with asyncio.timeout(timeout_s + _KILL_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()

    def terminate(self) -> None:
        """Ask it to drain; asked twice, it ends at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it as a crash would."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
