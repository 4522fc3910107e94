"""Runs the shipped conformance kits on the plugin, in a process that has it installed."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from otlp_bridge_lines.exporter import FACTORY as EXPORTER
from otlp_bridge_lines.line import LATER, NEVER, OK, read_line, write_line
from otlp_bridge_lines.receiver import FACTORY as RECEIVER
from otlp_bridge_lines.stamp import FACTORY as STAMP

from bridge.core import Exporter, Receiver, Settings, Signal, Stage
from bridge.testing import Made
from bridge.testing.conformance import (
    EXPORTER_CHECKS,
    PROCESSOR_CHECKS,
    RECEIVER_CHECKS,
    ConformanceError,
    ProcessorCase,
    Refusal,
)


class ReceiverCase:
    """A client that writes a line and reads the word."""

    signal = Signal.TRACES
    keeps_refused = False

    def create(self, settings: Settings, downstream: Mapping[Signal, Stage]) -> Receiver:
        """On a free port."""
        config = RECEIVER.config(endpoint="127.0.0.1:0")
        return RECEIVER.create(config, settings, downstream)

    async def send(self, receiver: Any, made: Made) -> bool:
        """One line over a connection of its own."""
        host, port = receiver.endpoints()["lines"]
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(write_line(made.signal, made.items, made.body))
            return (await reader.readline()).strip() == OK
        except OSError:
            return False
        finally:
            writer.close()


class ExporterCase:
    """A server that reads lines and answers as told."""

    signal = Signal.TRACES

    def __init__(self) -> None:
        self.port = 0
        self.items = 0
        self.refusal: Refusal | None = None
        self.server: asyncio.Server | None = None
        self.answering = asyncio.Event()
        self.answering.set()

    def create(self, settings: Settings) -> Exporter:
        """Towards the port that `prepare` chose."""
        config = EXPORTER.config(endpoint=f"127.0.0.1:{self.port}")
        return EXPORTER.create(config, settings, frozenset({self.signal}))

    async def prepare(self) -> None:
        """Choose a free port."""
        await self.open()
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        await self.close()

    async def open(self) -> None:
        """Listen."""
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Stop listening."""
        if self.server is not None:
            self.server.close()

    def refuse(self, how: Refusal | None) -> None:
        """Choose the word."""
        self.refusal = how

    def hold(self) -> None:
        """Do not answer."""
        self.answering.clear()

    def release(self) -> None:
        """Answer."""
        self.answering.set()

    async def received_items(self) -> int:
        """What was taken."""
        return self.items

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one line."""
        line = await reader.readline()
        await self.answering.wait()
        if self.refusal is None:
            self.items += read_line(line)[1]
        word = {"retryable": LATER, "permanent": NEVER, None: OK}[self.refusal]
        writer.write(word + b" because\n")
        writer.close()


async def main() -> int:
    """Print a line for each check; the number of failures."""
    failed = 0
    stamp = ProcessorCase(STAMP, STAMP.config(value="test"))
    for kind, checks in (
        ("receiver", RECEIVER_CHECKS),
        ("processor", PROCESSOR_CHECKS),
        ("exporter", EXPORTER_CHECKS),
    ):
        for check in checks:
            exporter = ExporterCase()
            await exporter.prepare()
            cases = {"receiver": ReceiverCase(), "processor": stamp, "exporter": exporter}
            try:
                await check(cases[kind])
                print(f"passed {kind} {check.__name__}")
            except ConformanceError as error:
                failed += 1
                print(f"FAILED {kind} {check.__name__}: {error}")
    return failed


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
