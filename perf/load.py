"""
A load generator cheap enough not to be the limit: requests are put together from prepared pieces
with fresh ids, frames are written by hand, answers are read by frame type and status only.

    python perf/load.py --target 127.0.0.1:4317 --spans 100 --requests 2000

Prints one JSON object: requests and spans acknowledged and refused, latencies, the first span
id and how many follow it, so that a reader of the topic can check each acknowledged one.
"""

import argparse
import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

import uvloop
from bodies import Requests
from hpack import Decoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW = 1 << 30
FRAME_BYTES_MAX = 16_384


@dataclass
class Result:
    """What happened to the requests of one run."""

    acked: int = 0
    refused: int = 0
    failed: int = 0
    latencies_s: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    def add(self, status: str, latency_s: float) -> None:
        """Count one answer; only ``0`` (gRPC) and ``200`` (HTTP) are acknowledgements."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status in ("0", "200"):
            self.acked += 1
            self.latencies_s.append(latency_s)
        elif status in ("14", "8", "503", "429"):
            self.refused += 1
        else:
            self.failed += 1

    def quantile(self, q: float) -> float:
        """The latency below which the share *q* of the acknowledged requests lies, in seconds."""
        ranked = sorted(self.latencies_s)
        return ranked[min(len(ranked) - 1, int(q * len(ranked)))] if ranked else float("nan")


class GrpcConnection(asyncio.Protocol):
    """One HTTP/2 connection that keeps `in_flight` unary calls open."""

    def __init__(
        self,
        next_request: Callable[[], bytes | None],
        in_flight: int,
        result: Result,
        gzipped: bool,
    ) -> None:
        self._next, self._in_flight, self._result = next_request, in_flight, result
        self._prefix = b"\x01" if gzipped else b"\x00"
        self._headers = _header_block(gzipped)
        self._stream, self._buffer = 1, b""
        self._sent: dict[int, float] = {}
        self._window, self._waiting = 65_535, deque[bytes]()
        self._stream_window = 65_535
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet with large windows and send the first calls."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._transport.write(
            PREFACE
            + _frame(4, 0, 0, b"\x00\x01\x00\x00\x00\x00\x00\x04" + WINDOW.to_bytes(4, "big"))
            + _frame(8, 0, 0, (WINDOW - 65_535).to_bytes(4, "big"))
        )

    def data_received(self, data: bytes) -> None:
        """Read frames; a trailers-bearing HEADERS frame ends a call."""
        data = self._buffer + data if self._buffer else data
        position, size = 0, len(data)
        while size - position >= 9:
            length = int.from_bytes(data[position : position + 3], "big")
            end = position + 9 + length
            if end > size:
                break
            self._frame_received(
                data[position + 3],
                data[position + 4],
                int.from_bytes(data[position + 5 : position + 9], "big"),
                data[position + 9 : end],
            )
            position = end
        self._buffer = data[position:]

    def connection_lost(self, error: Exception | None) -> None:
        """Whatever was open has failed."""
        for _ in self._sent:
            self._result.add("lost", 0.0)
        self._sent.clear()
        if not self.done.done():
            self.done.set_result(None)

    def _frame_received(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == 4 and not flags & 1:
            for at in range(0, len(payload), 6):
                if payload[at : at + 2] == b"\x00\x04":
                    self._stream_window = int.from_bytes(payload[at + 2 : at + 6], "big")
            self._transport.write(_frame(4, 1, 0, b""))
            if self._stream == 1:
                self._refill()
        elif kind == 6 and not flags & 1:
            self._transport.write(_frame(6, 1, 0, payload))
        elif kind == 8 and stream == 0:
            self._window += int.from_bytes(payload, "big")
            self._flush()
        elif kind == 1 and flags & 1:
            self._ended(stream, _grpc_status(payload))
        elif kind == 3:
            self._ended(stream, "reset")
        elif kind == 7:
            self._transport.close()

    def _ended(self, stream: int, status: str) -> None:
        sent = self._sent.pop(stream, None)
        if sent is not None:
            self._result.add(status, time.perf_counter() - sent)
        self._refill()

    def _refill(self) -> None:
        while len(self._sent) < self._in_flight:
            message = self._next()
            if message is None:
                if not self._sent and not self.done.done():
                    self.done.set_result(None)
                return
            self._call(message)

    def _call(self, message: bytes) -> None:
        stream, self._stream = self._stream, self._stream + 2
        self._sent[stream] = time.perf_counter()
        data = self._prefix + len(message).to_bytes(4, "big") + message
        self._waiting.append(_frame(1, 4, stream, self._headers))
        for at in range(0, len(data), FRAME_BYTES_MAX):
            last = at + FRAME_BYTES_MAX >= len(data)
            self._waiting.append(_frame(0, int(last), stream, data[at : at + FRAME_BYTES_MAX]))
        self._flush()

    def _flush(self) -> None:
        out = []
        while self._waiting:
            frame = self._waiting[0]
            if frame[3] == 0:
                if len(frame) - 9 > self._window:
                    break
                self._window -= len(frame) - 9
            out.append(self._waiting.popleft())
        if out:
            self._transport.write(b"".join(out))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    )


def _header_block(gzipped: bool) -> bytes:
    def literal(name: bytes, value: bytes) -> bytes:
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value

    path = b"/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"load"),
    ]
    fields += [(b"te", b"trailers"), (b"content-type", b"application/grpc")]
    if gzipped:
        fields.append((b"grpc-encoding", b"gzip"))
    return b"".join(literal(name, value) for name, value in fields)


@lru_cache(maxsize=1000)
def _grpc_status(block: bytes) -> str:
    """
    The status in a trailer block.

    We announce a header table of size 0, so that equal blocks mean equal headers and a block can
    be looked up instead of decoded.
    """
    decoder = Decoder()
    decoder.header_table_size = 0
    return str(dict(decoder.decode(block)).get("grpc-status", "?"))


class HttpConnection(asyncio.Protocol):
    """One HTTP/1.1 connection with one request at a time."""

    def __init__(
        self, next_request: Callable[[], bytes | None], result: Result, gzipped: bool
    ) -> None:
        self._next, self._result = next_request, result
        extra = b"Content-Encoding: gzip\r\n" if gzipped else b""
        self._head = (
            b"POST /v1/traces HTTP/1.1\r\nHost: load\r\nContent-Type: application/x-protobuf\r\n"
            + extra
        )
        self._buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._send()

    def data_received(self, data: bytes) -> None:
        """One answer: status line, headers, a body of Content-Length bytes."""
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if len(body) >= length:
            self._buffer = b""
            self._result.add(head[9:12].decode(), time.perf_counter() - self._sent)
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        """The run ends with the connection."""
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        message = self._next()
        if message is None:
            if not self.done.done():
                self.done.set_result(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(self._head + b"Content-Length: %d\r\n\r\n" % len(message) + message)


async def run(
    host: str,
    port: int,
    requests: Requests,
    count: int,
    *,
    connections: int = 4,
    in_flight: int = 16,
    http: bool = False,
    timeout_s: float = 300.0,
) -> Result:
    """
    Send *count* requests and wait for their answers.

    Args:
        in_flight:
            Calls open at once on each gRPC connection. HTTP has one a connection.
    """
    left, result, loop = count, Result(), asyncio.get_running_loop()

    def next_request() -> bytes | None:
        nonlocal left
        if left <= 0:
            return None
        left -= 1
        return requests()

    def make() -> GrpcConnection | HttpConnection:
        if http:
            return HttpConnection(next_request, result, requests.gzipped)
        return GrpcConnection(next_request, in_flight, result, requests.gzipped)

    made = [await loop.create_connection(make, host, port) for _ in range(connections)]
    async with asyncio.timeout(timeout_s):
        for _, protocol in made:
            await protocol.done
    for transport, _ in made:
        transport.close()
    return result


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="127.0.0.1:4317")
    parser.add_argument("--spans", type=int, default=100)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--order", choices=("sdk", "collector"), default="sdk")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--http", action="store_true")
    options = parser.parse_args()
    requests = Requests(options.spans, order=options.order, gzipped=options.gzip)
    host, _, port = options.target.rpartition(":")
    started = time.perf_counter()
    result = uvloop.run(
        run(
            host,
            int(port),
            requests,
            options.requests,
            connections=options.connections,
            in_flight=options.in_flight,
            http=options.http,
        )
    )
    print(
        json.dumps(
            {
                "acked": result.acked,
                "refused": result.refused,
                "failed": result.failed,
                "statuses": result.statuses,
                "spans_acked": result.acked * options.spans,
                "first_id": requests.first_id,
                "spans_made": requests.made,
                "wall_s": round(time.perf_counter() - started, 3),
                "p50_ms": round(result.quantile(0.5) * 1e3, 2),
                "p99_ms": round(result.quantile(0.99) * 1e3, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
