"""
A black hole that remembers: takes OTLP/gRPC, keeps the bodies, and afterwards tells what came.

    python perf/sink.py --port 4317 --control 4318

A line on the control port, ``FIRST COUNT``, is answered with one JSON object: spans received, how
many of the ids from FIRST on are missing, came twice, or were never sent. An empty line asks only
for the number of spans so far.
"""

import argparse
import asyncio
import json
from collections.abc import Callable, Iterable

import uvloop
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import ACCEPTED, Batch, Deadline, Receipt, Signal, Stage, SystemClock
from bridge.receivers.otlp import FACTORY
from bridge.testing import make_settings


class Keep:
    """The stage behind the receiver: every body is accepted and kept."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.spans = 0

    async def deliver(self, batch: Batch) -> Receipt:
        """Keep the body."""
        self.bodies.append(batch.body)
        self.spans += batch.items
        return ACCEPTED


def account(bodies: Iterable[bytes], first: int, count: int) -> dict[str, int]:
    """Set arithmetic over the span ids of *bodies* against *count* ids from *first* on."""
    seen: set[int] = set()
    spans = 0
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                spans += len(scope.spans)
                seen.update(int.from_bytes(span.span_id, "big") for span in scope.spans)
    known = sum(first <= span_id < first + count for span_id in seen)
    return {
        "spans": spans,
        "missing": count - known,
        "twice": spans - len(seen),
        "spurious": len(seen) - known,
    }


async def listen(
    stage: Stage, answer: Callable[[bytes], bytes], port: int, control: int, in_flight_mib: int
) -> None:
    """Hand what comes to *port* to *stage*, and lines on *control* to *answer*, until cancelled."""
    config = FACTORY.config.model_validate(
        {
            "protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}},
            "max_in_flight_mib": in_flight_mib,
        }
    )
    receiver = FACTORY.create(config, make_settings(), {Signal.TRACES: stage})

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(await reader.readline()))
        await writer.drain()
        writer.close()

    await receiver.start()
    server = await asyncio.start_server(ask, "127.0.0.1", control)
    try:
        await server.serve_forever()
    finally:
        await receiver.stop(Deadline.after(1, SystemClock()))


async def serve(port: int, control: int) -> None:
    """Listen until cancelled."""
    keep = Keep()

    def answer(line: bytes) -> bytes:
        asked = line.split()
        spans = {"spans": keep.spans}
        found = account(keep.bodies, int(asked[0]), int(asked[1])) if asked else spans
        return json.dumps(found).encode() + b"\n"

    await listen(keep, answer, port, control, in_flight_mib=2048)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control", type=int, required=True)
    options = parser.parse_args()
    uvloop.run(serve(options.port, options.control))


if __name__ == "__main__":
    main()
