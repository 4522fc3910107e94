"""
A black hole for hours: takes OTLP/gRPC, keeps no bodies, and counts how often each span came.

    python perf/counting_sink.py --port 4317 --control 4318 --first 123456

Span ids count up from *first* (see `bodies.Requests`). A line ``spans`` on the control port is
answered with ``{"spans": N}``; ``counts`` with ``{"bytes": N, "spurious": M}`` and then N bytes,
one a span from the first on: how often it came, 255 at most.
"""

import argparse
import asyncio
import json
import re

import uvloop

from bridge.core import ACCEPTED, Batch, Deadline, Receipt, Signal, SystemClock
from bridge.receivers.otlp import FACTORY
from bridge.testing import make_settings

PREFIX_BYTES = 4


class Count:
    """The stage behind the receiver. Ids of a run share their upper half, which finds them."""

    def __init__(self, first: int) -> None:
        prefix = first.to_bytes(8, "big")[:PREFIX_BYTES]
        self._pattern = re.compile(b"\x12\x08" + re.escape(prefix) + b"(....)", re.DOTALL)
        self.counts = bytearray()
        self.spans = 0
        self.found = 0

    async def deliver(self, batch: Batch) -> Receipt:
        """Count what is in it."""
        self.spans += batch.items
        counts = self.counts
        for mark in self._pattern.findall(batch.body):
            at = int.from_bytes(mark, "big")
            if at >= len(counts):
                counts.extend(bytes(at - len(counts) + 100_000))
            counts[at] = min(255, counts[at] + 1)
            self.found += 1
        return ACCEPTED


async def serve(port: int, control: int, first: int) -> None:
    """Listen until cancelled."""
    count = Count(first)
    config = FACTORY.config.model_validate(
        {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}, "max_in_flight_mib": 512}
    )
    receiver = FACTORY.create(config, make_settings(), {Signal.TRACES: count})

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = (await reader.readline()).strip() == b"counts"
        answer = (
            {"bytes": len(count.counts), "spurious": count.spans - count.found}
            if whole
            else {"spans": count.spans}
        )
        writer.write(json.dumps(answer).encode() + b"\n" + (bytes(count.counts) if whole else b""))
        await writer.drain()
        writer.close()

    await receiver.start()
    server = await asyncio.start_server(ask, "127.0.0.1", control)
    try:
        await server.serve_forever()
    finally:
        await receiver.stop(Deadline.after(1, SystemClock()))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--first", type=int, required=True)
    options = parser.parse_args()
    uvloop.run(serve(options.port, options.control, options.first))


if __name__ == "__main__":
    main()
