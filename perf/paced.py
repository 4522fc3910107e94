"""Open loop: so many requests a second over gRPC, whatever the answers do."""

import asyncio
import time

from bodies import Requests
from load import GrpcConnection, Result


class PacedConnection(GrpcConnection):
    """
    A connection that calls when it is told to, however many answers are out.

    Latencies count from when a call was due, so that a target that falls behind is not asked less.
    """

    def __init__(self, result: Result) -> None:
        super().__init__(lambda: None, 0, result, gzipped=False)
        self.ready = asyncio.Event()
        self._finishing = False

    def call(self, message: bytes, due_at: float) -> None:
        """Send *message*, which was due at *due_at* on the clock of `time.perf_counter`."""
        stream = self._stream
        self._call(message)
        self._sent[stream] = due_at

    def finish(self) -> None:
        """No call comes any more: `done` once all are answered."""
        self._finishing = True
        self._refill()

    def _refill(self) -> None:
        self.ready.set()
        if self._finishing and not self._sent and not self.done.done():
            self.done.set_result(None)


async def run_paced(
    host: str,
    port: int,
    requests: Requests,
    *,
    rate: float,
    seconds: float,
    connections: int = 4,
    sent_at: list[float] | None = None,
) -> Result:
    """
    Send *rate* requests a second over gRPC for *seconds*, whatever the answers do.

    Args:
        sent_at:
            Gets the time on `time.monotonic` at which each request was due.
    """
    result, loop = Result(), asyncio.get_running_loop()
    made = [
        (await loop.create_connection(lambda: PacedConnection(result), host, port))[1]
        for _ in range(connections)
    ]
    for protocol in made:
        await protocol.ready.wait()
    started, offset = time.perf_counter(), time.monotonic() - time.perf_counter()
    total = int(rate * seconds)
    for number in range(total):
        due_at = started + number / rate
        if (wait_s := due_at - time.perf_counter()) > 0:
            await asyncio.sleep(wait_s)
        if sent_at is not None:
            sent_at.append(due_at + offset)
        made[number % connections].call(requests(), due_at)
        if number % 64 == 0:
            await asyncio.sleep(0)  # Behind schedule, answers are read nevertheless.
    for protocol in made:
        protocol.finish()
    async with asyncio.timeout(60):
        for protocol in made:
            await protocol.done
    for protocol in made:
        protocol._transport.close()
    return result
