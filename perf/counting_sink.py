"""
A black hole for hours: takes OTLP/gRPC, keeps no bodies, and counts how often each span came.

    python perf/counting_sink.py --port 4317 --control 4318 --first 123456

Span ids count up from *first* (see `bodies.Requests`). A line ``spans`` on the control port is
answered with ``{"spans": N}``; ``counts`` with ``{"bytes": N, "spurious": M}`` and then N bytes,
one a span from the first on: how often it came, 255 at most.
"""

import argparse
import json
import re

import uvloop
from sink import listen

from bridge.core import ACCEPTED, Batch, Receipt

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

    def answer(line: bytes) -> bytes:
        if line.strip() != b"counts":
            return json.dumps({"spans": count.spans}).encode() + b"\n"
        head = {"bytes": len(count.counts), "spurious": count.spans - count.found}
        return json.dumps(head).encode() + b"\n" + bytes(count.counts)

    await listen(count, answer, port, control, in_flight_mib=512)


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
