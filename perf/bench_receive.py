"""
CPU of the OTLP receive path a request: the real receiver in front of a stage that takes everything.

    python perf/bench_receive.py [--requests N] [--connections N] [--in-flight N]

The receiver runs in a process of its own; its user and system time is what counts. Senders are of
two kinds: `repeat` sends the same header block with each request (grpc-python), `go` adds a
changing ``grpc-timeout`` to the header table each time, as the Collector does.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import zlib
from typing import Final

import psutil
import uvloop
from hpack import Encoder

from bridge.core import ACCEPTED, Batch, Receipt, Signal
from bridge.receivers.otlp import FACTORY, OtlpReceiverOptions
from bridge.testing import Order, make_settings, trace_request

SPANS: Final = (2, 10, 100, 512)
PATH: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOWS: Final = b"\0\0\0\4\0\0\0\0\0" + b"\0\0\4\x08\0\0\0\0\0" + (1 << 30).to_bytes(4, "big")
FRAME_BYTES: Final = 16_384


class BlackHole:
    """Takes everything at once."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Take *batch*."""
        return ACCEPTED


async def serve() -> None:
    """Run the receiver until stdin closes; print its ports first."""
    config = OtlpReceiverOptions.model_validate(
        {
            "protocols": {
                "grpc": {"endpoint": "127.0.0.1:0"},
                "http": {"endpoint": "127.0.0.1:0"},
            }
        }
    )
    receiver = FACTORY.create(config, make_settings("otlp"), dict.fromkeys(Signal, BlackHole()))
    await receiver.start()
    ports = {name: port for name, (_, port) in receiver.endpoints().items()}
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


class GrpcSender(asyncio.Protocol):
    """Keeps a number of calls in flight on one connection until the shared count is used up."""

    def __init__(self, body: bytes, in_flight: int, left: list[int], kind: str) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._message = body
        self._in_flight = in_flight
        self._left = left
        self._kind = kind
        self._encoder = Encoder()
        self._stream_id = 1
        self._waiting = 0
        self._tail = b""
        self._window = 65_535
        self._block: bytes | None = None
        self._backlog: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to send."""
        self.transport = transport
        transport.write(PREFACE + WINDOWS)
        for _ in range(self._in_flight):
            self._send()

    def data_received(self, data: bytes) -> None:
        """Count answers; each makes room for the next request."""
        data = self._tail + data
        position = 0
        while len(data) - position >= 9:
            length = int.from_bytes(data[position : position + 3], "big")
            if len(data) - position < 9 + length:
                break
            kind, flags = data[position + 3], data[position + 4]
            if kind == 1 and flags & 1:
                self._waiting -= 1
                self._send()
            elif kind == 8 and not int.from_bytes(data[position + 5 : position + 9], "big"):
                self._window += int.from_bytes(data[position + 9 : position + 13], "big")
                self._flush()
            elif kind == 4 and not flags & 1:
                self.transport.write(b"\0\0\0\4\1\0\0\0\0")
            elif kind in (3, 7):
                raise RuntimeError(f"the server sent frame {kind}: {data[position:]!r}")
            position += 9 + length
        self._tail = data[position:]
        if self._left[0] <= 0 and not self._waiting and not self.done.done():
            self.done.set_result(None)

    def _head(self) -> bytes:
        if self._kind == "repeat" and self._block is not None:
            return self._block
        timeout = "10S" if self._kind == "repeat" else f"{4_999_999 - self._stream_id}u"
        fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", PATH),
            (":authority", "127.0.0.1:4317"),
            ("content-type", "application/grpc"),
            ("user-agent", "OTel-OTLP-Exporter-Go/1.38.0 grpc-go/1.76.0"),
            ("te", "trailers"),
            ("grpc-timeout", timeout),
        ]
        if self._kind == "gzip":
            fields.append(("grpc-encoding", "gzip"))
        block = self._encoder.encode(fields)
        if self._stream_id > 1:
            # The second block refers to the table only.
            self._block = block
        return block

    def _send(self) -> None:
        if self._left[0] <= 0:
            return
        self._left[0] -= 1
        self._waiting += 1
        block = self._head()
        stream_id = self._stream_id.to_bytes(4, "big")
        self._stream_id += 2
        frames = [len(block).to_bytes(3, "big") + b"\1\4" + stream_id + block]
        message = self._message
        for start in range(0, len(message), FRAME_BYTES):
            piece = message[start : start + FRAME_BYTES]
            last = start + FRAME_BYTES >= len(message)
            head = len(piece).to_bytes(3, "big") + (b"\0\1" if last else b"\0\0")
            frames.append(head + stream_id + piece)
        self._backlog.append(b"".join(frames))
        self._flush()

    def _flush(self) -> None:
        while self._backlog and len(self._backlog[0]) <= self._window:
            frames = self._backlog.pop(0)
            self._window -= len(self._message)
            self.transport.write(frames)


class HttpSender(asyncio.Protocol):
    """Sends one request after the other on one connection."""

    def __init__(self, request: bytes, left: list[int]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._left = left

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to send."""
        self.transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Count answers; each makes room for the next request."""
        if not data.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(data.decode())
        self._send()

    def _send(self) -> None:
        if self._left[0] <= 0:
            if not self.done.done():
                self.done.set_result(None)
            return
        self._left[0] -= 1
        self.transport.write(self._request)


async def send(kind: str, ports: dict[str, int], body: bytes, args: argparse.Namespace) -> None:
    """Send *args.requests* requests of *body*."""
    loop = asyncio.get_running_loop()
    left = [args.requests]
    flag = b"\0"
    if kind == "gzip":
        compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
        body, flag = compressor.compress(body) + compressor.flush(), b"\1"
    if kind == "http":
        head = (
            "POST /v1/traces HTTP/1.1\r\nHost: localhost:4318\r\nUser-Agent: python-requests/2\r\n"
            "Accept-Encoding: gzip\r\nAccept: */*\r\nContent-Type: application/x-protobuf\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        senders = [
            (
                await loop.create_connection(
                    lambda: HttpSender(request, left), "127.0.0.1", ports["http"]
                )
            )[1]
            for _ in range(args.connections * args.in_flight)
        ]
    else:
        message = flag + len(body).to_bytes(4, "big") + body
        senders = [
            (
                await loop.create_connection(
                    lambda: GrpcSender(message, args.in_flight, left, kind),
                    "127.0.0.1",
                    ports["grpc"],
                )
            )[1]
            for _ in range(args.connections)
        ]
    await asyncio.gather(*(sender.done for sender in senders))
    for sender in senders:
        sender.transport.close()


def main() -> None:
    """Measure each kind and size once and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--kinds", default="repeat,go,gzip,http")
    parser.add_argument("--serve", action="store_true")
    args = parser.parse_args()
    if args.serve:
        uvloop.run(serve())
        return
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    line = server.stdout.readline() if server.stdout else b""
    while not line.startswith(b"{"):
        line = server.stdout.readline()
    ports = json.loads(line)
    process = psutil.Process(server.pid)
    print(f"{'kind':8}{'spans':>6}{'bytes':>9}{'µs CPU/request':>16}{'requests/s':>12}")
    for kind in args.kinds.split(","):
        for spans in SPANS:
            body = trace_request(spans, 1, order=Order.SDK).body
            before, began = process.cpu_times(), time.perf_counter()
            uvloop.run(send(kind, ports, body, args))
            took_s, after = time.perf_counter() - began, process.cpu_times()
            cpu_s = after.user + after.system - before.user - before.system
            print(
                f"{kind:8}{spans:6}{len(body):9}{cpu_s / args.requests * 1e6:16.1f}"
                f"{args.requests / took_s:12.0f}",
                flush=True,
            )
    print(f"peak RSS {process.memory_info().rss >> 20} MiB")
    server.stdin.close()
    server.wait(10)


if __name__ == "__main__":
    main()
