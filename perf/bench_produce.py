"""
CPU of the produce side a request, fed from memory: from an admitted request to its acknowledgement.

    python perf/bench_produce.py [--spans 1 10 100 512] [--partitions 3 12 48 300] [--profile]

The Kafka exporter is given 64 requests at once, as one turn of the loop gives them, and everything
behind it runs as it does in the service: splitting, record batches, compression, sequence numbers,
the bytes of the produce request, and the broker's answer with what it lets go. Only the socket is
missing: a broker made of one function answers each request in the next turn. What is shown is the
smallest and the middle of all rounds, beside the cost of its parts alone over the same bytes.
"""

import argparse
import asyncio
import cProfile
import gc
import logging
import pstats
import struct
import time
from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import structlog
import uvloop
from aiokafka.client import ConnectionGroup
from bodies import Requests

from bridge.core import ACCEPTED, Batch, Deadline, Origin, Outcome, Signal, SystemClock
from bridge.exporters.kafka import KafkaExporter, KafkaExporterConfig
from bridge.kafka import Opening, codec
from bridge.kafka.checksum import crc32c
from bridge.kafka.raw_producer import RawProducer
from bridge.testing import make_settings
from bridge.wire import native
from tests.unit.kafka.fake_cluster import FakeClient, FakeCluster

IN_FLIGHT = 64
_PART = struct.Struct(">ihqqq")


class Broker:
    """A connection of aiokafka's whose requests are answered in the next turn of the loop."""

    def __init__(self) -> None:
        self._versions = {0: (3, 7)}
        self._client_id = "bench"
        self._requests: list[tuple[int, Any, asyncio.Future[Any]]] = []
        self._writer = SimpleNamespace(write=self._write)
        self._number = 0
        self.written_bytes = 0
        self.requests = self.batches = 0

    def connected(self) -> bool:
        """Always."""
        return True

    def _next_correlation_id(self) -> int:
        self._number += 1
        return self._number

    def _write(self, data: bytes) -> None:
        self.written_bytes += len(data)
        self.requests += 1
        asyncio.get_running_loop().call_soon(self._answer, data)

    def _answer(self, data: bytes) -> None:
        _, sent, future = self._requests.pop(0)
        body = _answer_to(data)
        self.batches += body.count(b"\0\0\0\0\0\0\0\1")
        assert sent.parse_response_header(BytesIO(b"\0\0\0\x09")).correlation_id == 9
        future.set_result(sent.RESPONSE_TYPE.decode(BytesIO(body)))

    def close(self, reason: Any = None, exc: Any = None) -> None:
        """Nobody should."""
        raise RuntimeError("the connection was closed")


def _answer_to(data: bytes) -> bytes:
    """A response that takes every batch of a produce request of version 7 of one topic."""
    at = 4 + 8
    at += 2 + int.from_bytes(data[at : at + 2], "big")  # Client id.
    at += 2 + 2 + 4 + 4  # Transactional id, acks, timeout, number of topics.
    name = 2 + int.from_bytes(data[at : at + 2], "big")
    topic = data[at : at + name]
    at += name
    count = int.from_bytes(data[at : at + 4], "big")
    at += 4
    out = [b"\0\0\0\1", topic, count.to_bytes(4, "big")]
    for _ in range(count):
        partition = int.from_bytes(data[at : at + 4], "big")
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        at += 8 + size
        out.append(_PART.pack(partition, 0, 1, -1, 0))
    assert at == len(data)
    return b"".join(out) + b"\0\0\0\0"


class Manager:
    """Sequence numbers as aiokafka's transaction manager counts them."""

    def __init__(self) -> None:
        self.producer_id, self.producer_epoch = 77, 3
        self.numbers: dict[Any, int] = {}

    def has_pid(self) -> bool:
        """Always."""
        return True

    def sequence_number(self, where: Any) -> int:
        """The next one."""
        return self.numbers.get(where, 0)

    def increment_sequence_number(self, where: Any, count: int) -> None:
        """Some are spent."""
        self.numbers[where] = self.numbers.get(where, 0) + count


class Memory(RawProducer):
    """The producer of the service over a broker in memory."""

    def __init__(self, broker: Broker, partitions: int) -> None:
        super().__init__({"bootstrap_servers": "nowhere:9092"}, "all", 5.0, SystemClock())
        cluster = self._inner.client.cluster
        cluster._partitions = {"otlp_spans": dict.fromkeys(range(partitions))}
        cluster.leader_for_partition = lambda where: 4
        self._inner.client._conns = {(4, ConnectionGroup.DEFAULT): broker}
        self._inner._txn_manager = Manager()
        self._asking = FakeClient(FakeCluster(any_topic=partitions))
        self._partitions = partitions

    @property
    def client(self) -> Any:
        """Who is asked about topics; sending knows the other."""
        client = self._inner.client
        client.get_random_node = self._asking.get_random_node
        client.send = self._asking.send
        client.add_topic = self._asking.add_topic
        return client

    async def start(self, timeout_s: float) -> None:
        """Nothing to connect to."""

    async def kill(self) -> None:
        """Nothing to end."""
        self.abandon()
        self._inner._closed = True


class Bench:
    """An exporter over a broker in memory."""

    def __init__(self, spans: int, partitions: int, order: str, level: int | None) -> None:
        async def explain() -> None:
            return None

        self.broker = Broker()
        params = {} if level is None else {"compression_params": {"level": level}}
        config = {"producer": {"linger": "1ms", "compression": "zstd", **params}}
        self.exporter = KafkaExporter(
            KafkaExporterConfig.model_validate(config),
            make_settings("kafka"),
            frozenset({Signal.TRACES}),
            Opening(lambda: Memory(self.broker, partitions), explain, True, "User:me", "b:9092"),
        )
        self.requests = Requests(spans, order=order)
        self.answered = 0

    def settle(self, outcome: Outcome) -> None:
        """Hear of an acknowledgement."""
        assert outcome is ACCEPTED
        self.answered += 1

    def made(self) -> list[Batch]:
        """The next requests, as the receiver makes them: they share a deadline."""
        origin = Origin("bench", Deadline.after(4, SystemClock()))
        return [
            Batch(Signal.TRACES, self.requests(), self.requests.spans, origin)
            for _ in range(IN_FLIGHT)
        ]

    async def round(self, batches: list[Batch]) -> None:
        """Give all requests and wait until all are answered."""
        self.answered = 0
        exporter = self.exporter
        for batch in batches:
            assert exporter.begin_delivery(batch, self.settle) is not None
        exporter._gathering.flush()
        while self.answered < IN_FLIGHT:  # noqa: ASYNC110 - turns of the loop are what is measured
            await asyncio.sleep(0)


def parts(batches: list[Batch], partitions: int, level: int | None) -> dict[str, float]:
    """Microseconds a request of single steps over what one round moves: their floors."""
    bodies = [batch.body for batch in batches]
    compress = codec("zstd", level)
    assert compress is not None
    owners: list[object] = list(bodies)

    def split() -> list[native.Shared[object]]:
        found = native.split_many(
            Signal.TRACES, bodies, owners, partitions, murmur2=False, bytes_max=10**6
        )
        assert found is not None
        return found

    pieces = [piece for _, piece, _, _ in split()]
    packed = [compress.compress(piece) for piece in pieces]
    return {
        "split": _smallest_us(split),
        "copy": _smallest_us(lambda: b"".join(pieces)),
        "zstd": _smallest_us(lambda: [compress.compress(piece) for piece in pieces]),
        "crc": _smallest_us(lambda: [crc32c(one) for one in packed]),
    }


def _smallest_us(call: Callable[[], object]) -> float:
    costs = []
    for _ in range(15):
        started = time.process_time()
        call()
        costs.append(time.process_time() - started)
    return min(costs) / IN_FLIGHT * 1e6


async def measure(
    spans: int, partitions: int, options: argparse.Namespace, profile: cProfile.Profile | None
) -> str:
    """One line of the result."""
    bench = Bench(spans, partitions, options.order, options.level)
    await bench.exporter.start()
    await asyncio.sleep(0)
    await bench.exporter.deliver(bench.made()[0])
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # As `otlp-bridge run` sets it.
    costs_us: list[float] = []
    bench.broker.requests = bench.broker.written_bytes = 0
    for number in range(options.rounds):
        batches = bench.made()
        if profile is not None and number > 5:
            profile.enable()
        started = time.process_time()
        await bench.round(batches)
        costs_us.append((time.process_time() - started) / IN_FLIGHT * 1e6)
        if profile is not None:
            profile.disable()
    floors = parts(bench.made(), partitions, options.level)
    sent = bench.broker.written_bytes / options.rounds / IN_FLIGHT
    requests = bench.broker.requests / options.rounds
    await bench.exporter.stop(Deadline.after(1, SystemClock()))
    costs_us.sort()
    shown = "".join(f" {cost:.1f} |" for cost in floors.values())
    rest = costs_us[0] - floors["split"] - floors["zstd"] - floors["crc"]
    middle = costs_us[len(costs_us) // 2]
    return (
        f"| {spans} | {partitions} | {costs_us[0]:.1f} | {middle:.1f} |{shown}"
        f" {rest:.1f} | {requests:.1f} | {sent:.0f} |"
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", nargs="+", type=int, default=[1, 10, 100, 512])
    parser.add_argument("--partitions", nargs="+", type=int, default=[3, 12, 48, 300])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--order", choices=("sdk", "collector"), default="sdk")
    parser.add_argument("--level", type=int, default=None, help="of zstd")
    parser.add_argument("--profile", action="store_true", help="show functions by their own time")
    options = parser.parse_args()
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    print("CPU µs a request; rest is what is left of the smallest without split, zstd and crc\n")
    head = "spans", "partitions", "smallest", "middle", "split", "copy", "zstd", "crc", "rest"
    print("| " + " | ".join((*head, "produce requests a round", "bytes sent")) + " |")
    print("|---" * (len(head) + 2) + "|")
    for spans in options.spans:
        for partitions in options.partitions:
            profile = cProfile.Profile() if options.profile else None
            line = uvloop.run(measure(spans, partitions, options, profile))
            print(line, flush=True)
            if profile is not None:
                pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
