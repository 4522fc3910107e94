"""The ``lines`` exporter."""

import asyncio

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    ExporterFactory,
    Interrupted,
    Receipt,
    Refused,
    Settings,
    Signal,
    State,
    Status,
    Unavailable,
)
from bridge.options import Duration, Options, parse_endpoint
from otlp_bridge_lines.line import NEVER, OK, write_line


class LinesExporterOptions(Options):
    """Section ``exporters.lines``."""

    endpoint: str
    """Who takes the lines, host:port."""

    timeout: Duration = 5.0
    """Seconds for one line and its answer; the sender's deadline may shorten it."""


class LinesExporter:
    """One connection for each delivery, the simplest that can be right."""

    def __init__(
        self, config: LinesExporterOptions, settings: Settings, signals: frozenset[Signal]
    ) -> None:
        self._endpoint = parse_endpoint(config.endpoint)
        self._timeout_s = config.timeout
        self._settings = settings
        # What changes: deliveries under way, and whether new ones are taken.
        self._calls: set[asyncio.Task[bytes]] = set()
        self._stopping = False

    async def start(self) -> None:
        """Connections are made when they are needed."""
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Wait for deliveries until *deadline*, then break them off."""
        self._stopping = True
        if self._calls:
            _, late = await asyncio.wait(set(self._calls), timeout=deadline.remaining_s)
            for call in late:
                call.cancel()

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Send *batch* and wait for the word.

        Raises:
            Unavailable: If the other side is away, slow, or said later.
            Refused: If it said never.
            Interrupted: If we are stopping.
        """
        if self._stopping:
            raise Interrupted("the lines exporter is stopping")
        call = asyncio.create_task(self._exchange(batch))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            async with asyncio.timeout(self._seconds(batch)):
                answer = await call
        except TimeoutError as error:
            raise Unavailable("no answer in time") from error
        except OSError as error:
            raise Unavailable(f"cannot send lines: {error}") from error
        except asyncio.CancelledError:
            if self._stopping:
                raise Interrupted("the lines exporter stopped") from None
            raise
        word, _, reason = answer.strip().partition(b" ")
        if word == OK:
            return ACCEPTED
        if word == NEVER:
            raise Refused(reason.decode())
        raise Unavailable(reason.decode() or "the connection was closed")

    def _seconds(self, batch: Batch) -> float:
        deadline = batch.origin.deadline
        return self._timeout_s if deadline is None else min(self._timeout_s, deadline.remaining_s)

    async def _exchange(self, batch: Batch) -> bytes:
        reader, writer = await asyncio.open_connection(self._endpoint.host, self._endpoint.port)
        try:
            writer.write(write_line(batch.signal, batch.items, batch.body))
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()


FACTORY = ExporterFactory("lines", config=LinesExporterOptions, create=LinesExporter)
