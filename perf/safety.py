"""
Safe against fast: `required_acks: all` beside 0, on three brokers of which one follows late.

    python perf/safety.py --repeats 3 --save safety

Topics have three replicas and ``min.insync.replicas`` 2. What one broker fetches from the others as
a follower comes 20 ms later than it was sent. Both settings take turns; CPU and wall count.
"""

import argparse
import asyncio
import contextlib
import itertools
import multiprocessing
from collections.abc import Iterator, Mapping
from functools import partial
from statistics import median
from typing import cast

import lab
import uvloop
from ingest import Case, Outcome, measure

from tests.kafka_server import KafkaServer, Node, free_port

NODES, LATE_NODE = 3, 3
DELAY_S = 0.02
SHARE = 0.8
"""What `all` must reach of what 0 does, in spans a CPU second and in spans a second."""


class LateFollowerKafka(KafkaServer):
    """Three brokers that replicate through ports of ours."""

    def __init__(self) -> None:
        super().__init__(
            nodes=NODES,
            heap_mib=512,
            listeners=("REPLICATION",),
            properties={
                "listener.security.protocol.map": (
                    "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,REPLICATION:PLAINTEXT"
                ),
                "inter.broker.listener.name": "REPLICATION",
            },
        )
        self.replication_ports = {number: free_port() for number in range(1, NODES + 1)}

    @contextlib.contextmanager
    def delayed(self) -> Iterator[None]:
        """Pass on what brokers say to each other, late what `LATE_NODE` fetches, in the block."""
        ports = {self.replication_ports[n.number]: n.ports["REPLICATION"] for n in self.members}
        # A process of its own: it must not wait for the load generator.
        process = multiprocessing.get_context("spawn").Process(target=pass_on, args=(ports,))
        process.start()
        try:
            yield
        finally:
            process.terminate()
            process.join()

    def _advertised(self, node: Node) -> dict[str, int]:
        return {**super()._advertised(node), "REPLICATION": self.replication_ports[node.number]}


def pass_on(ports: Mapping[int, int]) -> None:
    """Listen at each key of *ports* and pass connections on to its value, until ended."""

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for port, target in ports.items():
            await loop.create_server(partial(_Near, target), "127.0.0.1", port)
        await asyncio.Event().wait()

    uvloop.run(serve())


class _Near(asyncio.Protocol):
    """A broker that called another."""

    def __init__(self, target: int) -> None:
        self._target = target
        # What changes: what came before the other side was reached; None afterwards.
        self._early: list[bytes] | None = []
        self._late: bool | None = None
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Call the broker that was meant."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._connecting = asyncio.create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        """Pass on; a follower says in its first request which broker it is."""
        if self._late is None:
            self._late = b"broker-%d-fetcher" % LATE_NODE in data
        if self._early is not None:
            self._early.append(data)
        else:
            self._far.write(data)

    def answer(self, data: bytes) -> None:
        """Pass an answer on, in order, when it is due."""
        if self._late:
            asyncio.get_running_loop().call_later(DELAY_S, self.transport.write, data)
        else:
            self.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        """So is the other side."""
        if self._early is None:
            self._far.close()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            made, _ = await loop.create_connection(partial(_Far, self), "127.0.0.1", self._target)
        except OSError:
            self.transport.close()
            return
        self._far = made
        early, self._early = self._early, None
        for data in early or ():
            made.write(data)


class _Far(asyncio.Protocol):
    """The broker that was called."""

    def __init__(self, near: _Near) -> None:
        self._near = near

    def data_received(self, data: bytes) -> None:
        """An answer."""
        self._near.answer(data)

    def connection_lost(self, error: Exception | None) -> None:
        """So is the side that called."""
        self._near.transport.close()


async def compare(options: argparse.Namespace, bootstrap: str) -> list[str]:
    """Both settings in turns; the lines of the result."""
    cases = {
        acks: Case(options.spans, acks=acks, replicas=3, calls=options.in_flight, connections=8)
        for acks in ("all", "0")
    }
    found: dict[str, list[Outcome]] = {acks: [] for acks in cases}
    number = itertools.count()
    for repeat in range(options.repeats):
        for acks in sorted(cases, reverse=bool(repeat % 2)):
            outcome = await measure("bridge", cases[acks], bootstrap, next(number))
            found[acks].append(outcome)
            print(f"repeat {repeat} acks {acks}: {outcome}", flush=True)
    return _lines(options, found)


def _lines(options: argparse.Namespace, found: Mapping[str, list[Outcome]]) -> list[str]:
    lines = ["# Safe against fast: required_acks all beside 0 (min / median / max)", ""]
    lines += [f"- {key}: {value}" for key, value in lab.machine().items()]
    lines += [
        (
            f"- three brokers, three replicas, min.insync.replicas 2;"
            f" what broker {LATE_NODE} fetches as a"
            f" follower comes {DELAY_S * 1e3:.0f} ms late"
        ),
        (
            f"- {options.spans} spans a request, {options.in_flight} in flight on 8 connections,"
            f" zstd, {options.repeats} repeats, in turns"
        ),
        "- with acks 0 the producer is not idempotent, and an answer of OK promises nothing",
        "",
        "| | CPU µs a span | requests a second | p99 of the answer, ms |",
        "|---|---|---|---|",
    ]
    for acks, outcomes in found.items():
        cells = [
            lab.Figures([one.cpu_us_a_span for one in outcomes]),
            lab.Figures([one.requests_a_s for one in outcomes]),
            lab.Figures([one.p99_ms for one in outcomes]),
        ]
        lines.append(f"| acks {acks} | " + " | ".join(map(str, cells)) + " |")
    pairs = list(zip(found["all"], found["0"], strict=True))
    cpu = median(fast.cpu_us_a_span / safe.cpu_us_a_span for safe, fast in pairs)
    wall = median(safe.requests_a_s / fast.requests_a_s for safe, fast in pairs)
    lines += [
        "",
        (
            f"`all` does {cpu:.2f} of the spans a CPU second that 0 does,"
            f" and {wall:.2f} of the requests a"
            f" second (goal {SHARE})."
        ),
    ]
    return lines


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", type=int, default=100)
    parser.add_argument("--in-flight", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--save", default="", help="name of the result file; empty only prints")
    options = parser.parse_args()
    with LateFollowerKafka() as kafka, kafka.delayed():
        lines = asyncio.run(compare(options, kafka.bootstrap))
    lab.report(options.save, lines)


if __name__ == "__main__":
    main()
