"""
CPU of the ingest path a request, fed from memory: everything but sockets and the broker.

    python perf/bench_ingest.py [--spans 1 10 100 512] [--partitions 12] [--profile]

The receiver's protocol gets 64 requests on four connections, and the Kafka exporter builds and
compresses their batches, which are acknowledged in the next turn of the loop. What is shown is the
smallest, the first quarter and the middle of all rounds: the smallest is what the code costs, the
distance to the others is what else the machine does. A second run with one partition tells what a
batch costs; both together are where the time of a request goes.
"""

import argparse
import asyncio
import cProfile
import gc
import logging
import pstats
import time
from typing import Any

import structlog
import uvloop
from aiokafka import TopicPartition
from bodies import Requests
from load import PREFACE, WINDOW, _frame, _header_block

from bridge.core import Deadline, Signal, SystemClock
from bridge.exporters.kafka import KafkaExporter, KafkaExporterConfig
from bridge.kafka import Opening, Written
from bridge.kafka.raw_producer import Landed
from bridge.kafka.record_batch import RecordBatch
from bridge.receivers.otlp import FACTORY
from bridge.testing import make_settings
from tests.unit.kafka.fake_cluster import FakeCluster, FakeRaw

CONNECTIONS, CALLS = 4, 16
CHUNK_BYTES = 64 << 10
"""What a socket gives at once."""


class AtOnce(FakeRaw):
    """A producer that builds a batch and acknowledges it in the next turn."""

    def send_nowait(self, where: TopicPartition, batch: RecordBatch, landed: Landed) -> bool:
        """Build *batch*, as it would be for the wire."""
        batch._set_producer_state(1, 1, 1)
        batch._build()
        written = Written(1, batch.size(), batch.uncompressed_bytes, 0.01)
        asyncio.get_running_loop().call_soon(landed, written)
        return True


class Wire:
    """A transport that swallows what is written."""

    def write(self, data: bytes) -> None:
        """Forget it."""

    def is_closing(self) -> bool:
        """Never."""
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Nothing is known."""
        return default

    def abort(self) -> None:
        """Nobody should end a connection here."""
        raise RuntimeError("the connection was aborted")


class Bench:
    """A receiver and an exporter in one process."""

    def __init__(self, spans: int, partitions: int) -> None:
        cluster = FakeCluster(any_topic=partitions)

        async def explain() -> None:
            return None

        config = {"producer": {"linger": "1ms", "compression": "zstd"}}
        self.exporter = KafkaExporter(
            KafkaExporterConfig.model_validate(config),
            make_settings("kafka"),
            frozenset({Signal.TRACES}),
            Opening(lambda: AtOnce(cluster), explain, True, "User:me", "broker:9092"),
        )
        options = {"protocols": {"grpc": {"endpoint": "127.0.0.1:0"}}}
        self.receiver: Any = FACTORY.create(
            FACTORY.config.model_validate(options),
            make_settings("otlp"),
            {Signal.TRACES: self.exporter},
        )
        self.requests = Requests(spans)
        self.head = _header_block(False)
        self.stream_id = 1
        self.connections: list[Any] = []

    async def start(self) -> None:
        """Open everything."""
        await self.exporter.start()
        await self.receiver.start()
        server = self.receiver._servers["grpc"]
        opening = _frame(4, 0, 0, b"\0\4" + WINDOW.to_bytes(4, "big"))
        opening += _frame(8, 0, 0, (WINDOW - 65_535).to_bytes(4, "big"))
        for _ in range(CONNECTIONS):
            connection = server._make_connection(server)
            connection.connection_made(Wire())
            connection.data_received(PREFACE + opening)
            self.connections.append(connection)

    async def stop(self) -> None:
        """Close everything."""
        for connection in self.connections:
            connection.connection_lost(None)
        await self.receiver.stop(Deadline.after(0, SystemClock()))
        await self.exporter.stop(Deadline.after(1, SystemClock()))

    def made(self) -> list[list[bytes]]:
        """The next requests of each connection, as a socket would give them."""
        chunks = []
        for _ in self.connections:
            frames = b"".join(self._call(self.stream_id + 2 * n) for n in range(CALLS))
            chunks.append(
                [frames[at : at + CHUNK_BYTES] for at in range(0, len(frames), CHUNK_BYTES)]
            )
        self.stream_id += 2 * CALLS
        return chunks

    async def round(self, chunks: list[list[bytes]]) -> None:
        """Give all requests and wait until all are answered."""
        for connection, pieces in zip(self.connections, chunks, strict=True):
            for piece in pieces:
                connection.data_received(piece)
        # Turns of the loop are what is measured.
        while any(one._state.registry.open for one in self.connections):  # noqa: ASYNC110
            await asyncio.sleep(0)

    def _call(self, stream_id: int) -> bytes:
        message = self.requests()
        data = b"\0" + len(message).to_bytes(4, "big") + message
        frames = [_frame(1, 4, stream_id, self.head)]
        for at in range(0, len(data), 16_384):
            last = at + 16_384 >= len(data)
            frames.append(_frame(0, int(last), stream_id, data[at : at + 16_384]))
        return b"".join(frames)


async def measure(
    spans: int, partitions: int, rounds: int, profile: cProfile.Profile | None
) -> str:
    """One line of the result."""
    bench = Bench(spans, partitions)
    await bench.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # As `otlp-bridge run` sets it.
    costs_us: list[float] = []
    for number in range(rounds):
        chunks = bench.made()
        if profile is not None and number > 5:
            profile.enable()
        started = time.process_time()
        await bench.round(chunks)
        costs_us.append((time.process_time() - started) / (CONNECTIONS * CALLS) * 1e6)
        if profile is not None:
            profile.disable()
    await bench.stop()
    costs_us.sort()
    shown = costs_us[0], costs_us[rounds // 4], costs_us[rounds // 2]
    return f"{spans} spans, {partitions} partitions: " + " / ".join(f"{c:.1f}" for c in shown)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", nargs="+", type=int, default=[1, 10, 100, 512])
    parser.add_argument("--partitions", nargs="+", type=int, default=[12, 1])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--profile", action="store_true", help="show functions by their own time")
    options = parser.parse_args()
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    print("CPU µs a request: smallest / first quarter / middle")
    for spans in options.spans:
        for partitions in options.partitions:
            profile = cProfile.Profile() if options.profile else None
            print(uvloop.run(measure(spans, partitions, options.rounds, profile)), flush=True)
            if profile is not None:
                pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
