"""
CPU of the OTLP receive side a request, fed from memory: no socket, and nothing behind it.

    python perf/bench_taking.py [--http] [--spans 1 10 100 512] [--rounds 300] [--piece-kib 64]

As `bench_ingest.py`, but the receiver stands in front of a stage that settles everything when all
64 requests of a round have begun; over HTTP each comes on a connection of its own. Shown are the
smallest, the first quarter and the middle.
"""

import argparse
import asyncio
import gc
import logging
import time
from collections.abc import Callable

import bench_ingest
import structlog
import uvloop
from bodies import Requests
from load import _header_block

from bridge.core import ACCEPTED, Batch, Outcome, Receipt, Signal
from bridge.receivers.otlp import FACTORY
from bridge.testing import make_settings

HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: load\r\nContent-Type: application/x-protobuf\r\n"
"""Without the length, and without the empty line."""


class Held:
    """Begins every delivery, and ends it when it is told."""

    begins = True

    def __init__(self) -> None:
        self.settles: list[Callable[[Outcome], None]] = []

    def cancel(self) -> None:
        """Nobody cancels here."""

    def begin_delivery(self, batch: Batch, settle: Callable[[Outcome], None]) -> "Held":
        """Note how to end it."""
        self.settles.append(settle)
        return self

    async def deliver(self, batch: Batch) -> Receipt:
        """Take what must be waited for."""
        return ACCEPTED

    def end_all(self) -> None:
        """End what has begun."""
        settles, self.settles = self.settles, []
        for settle in settles:
            settle(ACCEPTED)


class Nothing:
    """Stands where the exporter does."""

    async def start(self) -> None:
        """There is nothing to open."""

    async def stop(self, deadline: object) -> None:
        """There is nothing to close."""


class Taking(bench_ingest.Bench):
    """A receiver alone."""

    def __init__(self, spans: int) -> None:
        self.stage = Held()
        self.exporter = Nothing()  # type: ignore[assignment]  # all that is asked of it here
        endpoint = {"endpoint": "127.0.0.1:0"}
        options = {"protocols": {"grpc": endpoint, "http": endpoint}}
        self.receiver = FACTORY.create(
            FACTORY.config.model_validate(options),
            make_settings("otlp"),
            {Signal.TRACES: self.stage},
        )
        self.requests = Requests(spans)
        self.head = _header_block(False)
        self.stream_id = 1
        self.connections = []

    async def round(self, chunks: list[list[bytes]]) -> None:
        """Give all requests, end all deliveries, and wait until all are answered."""
        for connection, pieces in zip(self.connections, chunks, strict=True):
            for piece in pieces:
                connection.data_received(piece)
        self.stage.end_all()
        # Turns of the loop are what is measured.
        while any(one._state.registry.open for one in self.connections):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await asyncio.sleep(0)


class TakingHttp(Taking):
    """The same over HTTP/1.1: one connection a request, as clients have them."""

    async def start(self) -> None:
        """Open everything, and let each connection be known."""
        await self.receiver.start()
        server = self.receiver._servers["http"]
        for _ in range(bench_ingest.CONNECTIONS * bench_ingest.CALLS):
            connection = server._make_connection(server)
            connection.connection_made(bench_ingest.Wire())
            self.connections.append(connection)
        for _ in range(2):
            await self.round(self.made())

    def made(self) -> list[list[bytes]]:
        """The next request of each connection, as a socket would give it."""
        size = bench_ingest.CHUNK_BYTES
        chunks = []
        for _ in self.connections:
            message = self.requests()
            data = HEAD + b"Content-Length: %d\r\n\r\n" % len(message) + message
            chunks.append([data[at : at + size] for at in range(0, len(data), size)])
        return chunks

    async def round(self, chunks: list[list[bytes]]) -> None:
        """Give all requests, end all deliveries, and wait until all are answered."""
        for connection, pieces in zip(self.connections, chunks, strict=True):
            for piece in pieces:
                connection.data_received(piece)
        # Turns of the loop are what is measured.
        while any(one._state.queue for one in self.connections):
            await asyncio.sleep(0)
            self.stage.end_all()
        await asyncio.sleep(0)


async def measure(spans: int, rounds: int, http: bool) -> str:
    """One line of the result."""
    bench = TakingHttp(spans) if http else Taking(spans)
    await bench.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # As `otlp-bridge run` sets it.
    costs_us: list[float] = []
    requests = bench_ingest.CONNECTIONS * bench_ingest.CALLS
    for _ in range(rounds):
        chunks = bench.made()
        started = time.process_time()
        await bench.round(chunks)
        costs_us.append((time.process_time() - started) / requests * 1e6)
    await bench.stop()
    costs_us.sort()
    shown = costs_us[0], costs_us[rounds // 4], costs_us[rounds // 2]
    return f"{spans} spans: " + " / ".join(f"{cost:.1f}" for cost in shown)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", nargs="+", type=int, default=[1, 10, 100, 512])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--http", action="store_true", help="HTTP/1.1 instead of gRPC")
    parser.add_argument("--piece-kib", type=int, default=64, help="what a socket gives at once")
    options = parser.parse_args()
    bench_ingest.CHUNK_BYTES = options.piece_kib << 10
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    print("CPU µs a request: smallest / first quarter / middle")
    for spans in options.spans:
        print(uvloop.run(measure(spans, options.rounds, options.http)), flush=True)


if __name__ == "__main__":
    main()
