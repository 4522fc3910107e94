"""The ``lines`` receiver."""

import asyncio
from collections.abc import Mapping

from bridge.core import (
    Batch,
    ConfigError,
    Deadline,
    Denied,
    Interrupted,
    Malformed,
    Origin,
    Permanent,
    ReceiverFactory,
    Retryable,
    Settings,
    Signal,
    Stage,
    State,
    Status,
)
from bridge.options import Duration, Options, parse_endpoint
from otlp_bridge_lines.line import LATER, LINE_BYTES_MAX, NEVER, OK, read_line


class LinesReceiverOptions(Options):
    """Section ``receivers.lines``."""

    endpoint: str = "localhost:4319"
    """Where to listen, host:port."""

    patience: Duration = 5.0
    """Seconds that a sender waits for its answer."""


class LinesReceiver:
    """Listens, and answers each line once the pipeline took custody of it."""

    def __init__(
        self, config: LinesReceiverOptions, settings: Settings, downstream: Mapping[Signal, Stage]
    ) -> None:
        self._config = config
        self._settings = settings
        self._downstream = downstream
        labels = {"receiver": str(settings.id), "transport": "lines"}
        self._accepted = {
            signal: settings.metrics.counter(f"otelcol_receiver_accepted_{signal.items}", labels)
            for signal in downstream
        }
        # What changes: the listener, and a task for each connection and each line in hand.
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._in_hand: set[asyncio.Task[bytes]] = set()

    async def start(self) -> None:
        """
        Listen.

        Raises:
            ConfigError: If the port cannot be had.
        """
        where = parse_endpoint(self._config.endpoint)
        try:
            self._server = await asyncio.start_server(
                self._serve, where.host, where.port, limit=LINE_BYTES_MAX
            )
        except OSError as error:
            raise ConfigError(f"receivers.lines: cannot listen: {error}") from error
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Take no more lines, answer those in hand until *deadline*, then hang up."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        if self._in_hand:
            _, late = await asyncio.wait(set(self._in_hand), timeout=deadline.remaining_s)
            for task in late:
                task.cancel()
            # One turn for the answers to be written.
            await asyncio.sleep(0)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def endpoints(self) -> dict[str, tuple[str, int]]:
        """The bound address."""
        if self._server is None:
            return {}
        return {"lines": self._server.sockets[0].getsockname()[:2]}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (line := await reader.readline()).endswith(b"\n") and self._server:
                call = asyncio.create_task(self._answer(line))
                self._in_hand.add(call)
                call.add_done_callback(self._in_hand.discard)
                # A sender that hangs up does not take its line back: the pipeline has it.
                writer.write(await asyncio.shield(call) + b"\n")
                await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError):
            return
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, line: bytes) -> bytes:
        try:
            signal, items, body = read_line(line)
            stage = self._downstream.get(signal)
            if stage is None:
                raise Malformed(f"no pipeline takes {signal.value}")
            deadline = Deadline.after(self._config.patience, self._settings.clock)
            origin = Origin(str(self._settings.id), deadline)
            await stage.deliver(Batch(signal, body, items, origin))
        except Permanent as error:
            return NEVER + b" " + str(error).encode()
        except (Retryable, Denied, Interrupted) as error:
            return LATER + b" " + str(error).encode()
        self._accepted[signal].add(items)
        return OK


FACTORY = ReceiverFactory("lines", config=LinesReceiverOptions, create=LinesReceiver)
