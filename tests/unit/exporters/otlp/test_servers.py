"""The exporter's client against gRPC servers that other people wrote, in this process."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpclib.const
import grpclib.server
import pytest

from bridge.core import Deadline, SystemClock
from bridge.exporters.otlp.channel import Channel
from bridge.options import Endpoint

METHOD = "/test.Echo/Say"
CALLS = 60
SIZES = (0, 1, 5, 1000, 16_379, 16_384, 65_535, 300_000, 2_000_000)


class Raw:
    """grpclib's codec that leaves bytes alone."""

    __content_subtype__ = "proto"

    def encode(self, message: bytes, _: object) -> bytes:
        return message

    def decode(self, data: bytes, _: object) -> bytes:
        return data


class GrpclibEcho:
    """Answers with the length of what came."""

    async def say(self, stream: Any) -> None:
        message = await stream.recv_message()
        await stream.send_message(str(len(message)).encode())

    def __mapping__(self) -> dict[str, grpclib.const.Handler]:
        unary = grpclib.const.Cardinality.UNARY_UNARY
        return {METHOD: grpclib.const.Handler(self.say, unary, bytes, bytes)}


@asynccontextmanager
async def grpclib_server() -> AsyncIterator[int]:
    server = grpclib.server.Server([GrpclibEcho()], codec=Raw())  # type: ignore[arg-type]
    await server.start("127.0.0.1", 0)
    try:
        yield server._server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def core_server(*options: tuple[str, object]) -> AsyncIterator[int]:
    async def say(message: bytes, context: object) -> bytes:
        return str(len(message)).encode()

    class Handler(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(say)

    limits = [("grpc.max_receive_message_length", -1), *options]
    server = grpc.aio.server(handlers=[Handler()], options=limits)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


def client(port: int) -> Channel:
    """One connection."""
    return Channel(
        Endpoint("127.0.0.1", port),
        tls=None,
        connections_max=1,
        answer_bytes_max=1000,
        clock=SystemClock(),
    )


async def say(channel: Channel, size: int) -> int:
    """Call with a message of *size* bytes; what the server says of its length."""
    headers = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", METHOD.encode()),
        (b":authority", b"test"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc+proto"),
        (b"grpc-timeout", b"20000m"),
        (b"x-long", b"v" * 5000),
    ]
    prefix = struct.pack(">?I", False, size)
    answer = await channel.call(headers, bytes(size), 20.0, prefix)
    assert answer.trailers[b"grpc-status"] == b"0"
    return int(answer.body[5:])


@pytest.mark.parametrize("serve", [grpclib_server, core_server])
async def test_messages_of_any_size_arrive_whole(serve: Callable[[], Any]) -> None:
    """Beyond every window and frame, and many of them at once on one connection."""
    async with serve() as port:
        channel = client(port)
        found = [await say(channel, size) for size in SIZES]
        many = await asyncio.gather(*(say(channel, 20_000 + n) for n in range(CALLS)))
        await channel.stop(Deadline.after(2, SystemClock()))

    assert found == list(SIZES)
    assert many == [20_000 + n for n in range(CALLS)]


@pytest.mark.slow
async def test_connections_that_age_cost_no_call() -> None:
    """A server that sends GOAWAY every second answers what it took; nothing is lost or doubtful."""
    age = [("grpc.max_connection_age_ms", 1000), ("grpc.max_connection_age_grace_ms", 5000)]
    async with core_server(*age) as port:
        channel = client(port)
        loop = asyncio.get_running_loop()
        end, calls = loop.time() + 3.5, 0
        while loop.time() < end:
            assert await asyncio.gather(*(say(channel, 50_000) for _ in range(8))) == [50_000] * 8
            calls += 8
        await channel.stop(Deadline.after(2, SystemClock()))

    assert calls > 0
