"""What strangers send: nothing of it ends the process, grows it, or disturbs others."""

import asyncio
import contextlib
import gzip
import os
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import psutil
import pytest
import zstandard
from hpack import Encoder
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from bridge.core import Signal
from bridge.testing import settle, trace_request
from bridge.wire import otlp_json
from tests.faults.certificates import Authority
from tests.unit.receivers.otlp.clients import (
    EXPORT_PATHS,
    JSON,
    PROTOBUF,
    Http,
    Running,
    call,
    h2_frame,
    post,
    running,
)
from tests.unit.wire.nesting import PLACES, lists, maps
from tests.unit.wire.samples import varint

pytestmark = pytest.mark.slow

MIB = 1 << 20
BODY = trace_request().body
PATH = next(iter(EXPORT_PATHS.values()))
OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(4, 0, 0)
DATA, HEADERS, RST, GOAWAY = 0, 1, 3, 7


def rss_bytes() -> int:
    """Resident memory of this process, in which the receiver runs."""
    return int(psutil.Process().memory_info().rss)


def grpc_head(*more: tuple[str, str]) -> bytes:
    """The header block of a call, without the table."""
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PATH),
        ("content-type", "application/grpc"),
        *more,
    )
    return bytes(Encoder().encode([(name, value, True) for name, value in fields]))


@asynccontextmanager
async def attacked(**options: object) -> AsyncIterator[Running]:
    """A receiver that must still serve both transports at the end."""
    async with running(**options) as run:  # type: ignore[arg-type]  # options of the sections
        yield run
        await call(run.grpc, BODY)
        assert (await post(run.http, BODY)).status == 200
        assert run.value("bridge_receiver_in_flight_bytes") == 0


class Raw:
    """A raw connection to the gRPC port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, run: Running) -> "Raw":
        """Open it and send the preface."""
        raw = cls(*await asyncio.open_connection(*run.receiver.endpoints()["grpc"]))
        raw.writer.write(OPENING)
        return raw

    async def read_until(self, kind: int) -> tuple[int, bytes]:
        """The stream id and payload of the next frame of *kind*."""
        while True:
            head = await self.reader.readexactly(9)
            payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == kind:
                return int.from_bytes(head[5:9], "big"), payload

    async def read_goaway(self) -> int:
        """The code with which the connection ends."""
        _, payload = await self.read_until(GOAWAY)
        return int.from_bytes(payload[4:8], "big")

    def close(self) -> None:
        """Close it."""
        self.writer.close()


async def test_rapid_reset_ends_the_connection_cheaply() -> None:
    """Ten thousand opened and cancelled calls cost a fraction of a second and no memory."""
    attack = b"".join(
        h2_frame(HEADERS, 4, stream_id, grpc_head()) + h2_frame(RST, 0, stream_id, b"\0\0\0\x08")
        for stream_id in range(1, 20_001, 2)
    )
    async with attacked() as run:
        raw = await Raw.connect(run)
        began_s, before = time.process_time(), rss_bytes()
        raw.writer.write(attack)
        code = await raw.read_goaway()
        took_s = time.process_time() - began_s
        raw.close()

        assert code == 0xB
        assert took_s < 0.5
        assert rss_bytes() - before < 20 * MIB


@pytest.mark.parametrize(
    "flood",
    [
        h2_frame(6, 0, 0, b"12345678"),
        h2_frame(4, 0, 0),
        h2_frame(2, 0, 1, bytes(5)),
        h2_frame(0x99, 0, 0, b"x"),
        h2_frame(8, 0, 0, b"\0\0\0\1"),
    ],
    ids=["ping", "settings", "priority", "unknown", "window"],
)
async def test_control_frame_flood_ends_the_connection(flood: bytes) -> None:
    """With ENHANCE_YOUR_CALM."""
    async with attacked() as run:
        raw = await Raw.connect(run)
        raw.writer.write(flood * 5_000)

        assert await raw.read_goaway() == 0xB
        raw.close()


async def test_continuation_flood_ends_the_connection() -> None:
    """A header block without end is not gathered."""
    async with attacked() as run:
        raw = await Raw.connect(run)
        raw.writer.write(h2_frame(HEADERS, 0, 1, grpc_head()))
        raw.writer.write(h2_frame(9, 0, 1, b"") * 1_000)

        assert await raw.read_goaway() == 0xB
        raw.close()


async def test_header_bomb_ends_its_connection() -> None:
    """A large field referred to thousands of times is never unpacked, and soon not decoded."""
    encoder = Encoder()
    first = encoder.encode([(":method", "POST"), ("x-bomb", "b" * 3_900)])
    async with attacked() as run:
        raw = await Raw.connect(run)
        before = rss_bytes()
        raw.writer.write(h2_frame(HEADERS, 5, 1, bytes(first)))
        for stream_id in range(3, 103, 2):
            raw.writer.write(h2_frame(HEADERS, 5, stream_id, b"\x83\xbe" + b"\xbe" * 4_000))
        await raw.read_until(RST)
        _, payload = await raw.read_until(GOAWAY)
        assert payload[4:8] == b"\0\0\0\x0b"
        raw.close()

        assert rss_bytes() - before < 20 * MIB


async def test_declared_length_of_four_gib_is_refused_by_its_prefix() -> None:
    """After five bytes of the body."""
    async with attacked() as run:
        raw = await Raw.connect(run)
        raw.writer.write(h2_frame(HEADERS, 4, 1, grpc_head()))
        raw.writer.write(h2_frame(DATA, 0, 1, b"\0\xff\xff\xff\xff"))

        stream_id, payload = await raw.read_until(HEADERS)
        raw.close()
        assert stream_id == 1
        assert b"grpc-status\x018" in payload


async def test_content_length_of_ten_gib_is_refused_by_the_head() -> None:
    """Nothing of the body is waited for."""
    async with attacked() as run:
        http = await Http.connect(run.http)
        http.send(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 10737418240\r\n\r\n"
        )
        answer = await http.read()
        http.close()

        assert answer.status == 413


async def test_chunks_without_end_are_refused_at_the_limit() -> None:
    """Memory stays near the limit, however much is sent."""
    async with attacked(
        grpc_options={"max_recv_msg_size_mib": 1},
        http_options={"max_request_body_size": MIB},
        max_in_flight_mib=2,
    ) as run:
        http = await Http.connect(run.http)
        before = rss_bytes()
        http.send(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(64):
            http.send(b"100000\r\n" + bytes(MIB) + b"\r\n")
            await http.writer.drain()
        answer = await http.read()
        http.close()

        assert answer.status == 413
        assert rss_bytes() - before < 16 * MIB


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_decompression_bomb_stays_within_the_cap(encoding: str) -> None:
    """A GiB of zeros in a small body is refused at the limit, over both transports."""
    compressor = zstandard.ZstdCompressor().compressobj()
    bomb = (
        gzip.compress(bytes(32 * MIB)) * 32
        if encoding == "gzip"
        else b"".join(compressor.compress(bytes(MIB)) for _ in range(1024)) + compressor.flush()
    )
    async with attacked(
        grpc_options={"max_recv_msg_size_mib": 8},
        http_options={"max_request_body_size": 8 * MIB},
        max_in_flight_mib=16,
    ) as run:
        before = rss_bytes()
        answer = await post(run.http, bomb, Content_Encoding=encoding)
        raw = await Raw.connect(run)
        raw.writer.write(h2_frame(HEADERS, 4, 1, grpc_head(("grpc-encoding", encoding))))
        message = b"\1" + len(bomb).to_bytes(4, "big") + bomb
        for start in range(0, len(message), 16_384):
            piece = message[start : start + 16_384]
            raw.writer.write(h2_frame(DATA, start + 16_384 >= len(message), 1, piece))
        _, payload = await raw.read_until(HEADERS)
        raw.close()

        assert answer.status == 413
        assert b"grpc-status\x018" in payload
        assert rss_bytes() - before < 24 * MIB


async def test_deep_nesting_is_bad_data() -> None:
    """In protobuf and in JSON, an error and no crash."""
    nested = b""
    for _ in range(2_000):
        inner = b"\x0a" + _length(len(nested)) + nested
        nested = b"\x2a" + _length(len(inner)) + inner
    attribute = b"\x12" + _length(len(nested)) + nested
    span = b"\x4a" + _length(len(attribute)) + attribute
    scope = b"\x12" + _length(len(span)) + span
    resource = b"\x12" + _length(len(scope)) + scope
    body = b"\x0a" + _length(len(resource)) + resource
    text = b'{"resourceSpans":' + b"[" * 50_000
    async with attacked() as run:
        protobuf = await post(run.http, body)
        as_json = await post(run.http, text, "application/json")

        # Values are not looked into on the way in: whoever decodes them meets the limit.
        assert protobuf.status in (200, 400)
        assert as_json.status == 400


def _length(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


async def test_hundreds_of_silent_connections_do_not_disturb() -> None:
    """Slow heads on both ports wait for their timeout while others are served."""
    async with attacked() as run:
        silent = [await Http.connect(run.http) for _ in range(250)]
        silent += [
            Http(*await asyncio.open_connection(*run.receiver.endpoints()["grpc"]))
            for _ in range(250)
        ]
        for http in silent:
            http.send(b"POST /v1/traces HTTP/1.1\r\nX: ")
        answers = [await post(run.http, BODY) for _ in range(20)]
        for http in silent:
            http.close()

        assert {answer.status for answer in answers} == {200}


async def test_silent_connections_are_let_go() -> None:
    """Heads that do not come, on both ports."""
    options = {"read_header_timeout": "200ms"}
    async with attacked(grpc_options=options, http_options=options) as run:
        http = await Http.connect(run.http)
        http.send(b"POST /v1/traces HTTP/1.1\r\nX: ")
        raw, writer = await asyncio.open_connection(*run.receiver.endpoints()["grpc"])
        writer.write(b"PRI * HTTP/2.0\r\n")

        answer = await http.read()
        assert answer.status == 408
        assert await http.closed()
        await raw.read()
        http.close()
        writer.close()
        for transport in ("grpc", "http"):
            assert (
                run.value(
                    "bridge_receiver_connections_closed",
                    reason="head_timeout",
                    transport=transport,
                )
                >= 1
            )


async def test_body_that_stops_is_let_go() -> None:
    """A declared body that does not come gives its bytes back."""
    options = {"body_progress_timeout": "200ms"}
    async with attacked(grpc_options=options, http_options=options) as run:
        http = await Http.connect(run.http)
        http.send(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 1000000\r\n\r\nx"
        )
        raw = await Raw.connect(run)
        raw.writer.write(h2_frame(HEADERS, 4, 1, grpc_head()))
        raw.writer.write(h2_frame(DATA, 0, 1, b"\0\0\x0f\0\0x"))

        answer = await http.read()
        stream_id, _ = await raw.read_until(RST)
        http.close()
        raw.close()

        assert answer.status == 408
        assert stream_id == 1


async def test_connections_beyond_the_limit_are_closed() -> None:
    """Those that exist go on; when they end, others are let in."""
    async with attacked(http_options={"max_connections": 2}) as run:
        first, second, third = [await Http.connect(run.http) for _ in range(3)]
        refused = await third.closed()
        answers = [await first.post(BODY), await second.post(BODY, Connection="close")]
        assert await second.closed()
        for http in (first, second, third):
            http.close()

        assert refused
        assert [answer.status for answer in answers] == [200, 200]
        await wait_until(lambda: run.value("bridge_receiver_connections") < 2)


async def wait_until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until *condition* holds."""
    async with asyncio.timeout(10):
        while not condition():
            await settle()


@pytest.mark.parametrize("seed", range(5))
async def test_random_bytes_do_not_disturb(seed: int) -> None:
    """Garbage after a valid opening, on both ports."""
    garbage = os.urandom(20_000)
    async with attacked() as run:
        for _ in range(10):
            raw = await Raw.connect(run)
            raw.writer.write(garbage)
            raw.writer.write_eof()
            await raw.reader.read()
            raw.close()
            http = await Http.connect(run.http)
            http.send(b"POST /v1/traces HTTP/1.1\r\n" + garbage)
            http.writer.write_eof()
            await http.reader.read()
            http.close()


async def test_client_that_leaves_frees_its_bytes() -> None:
    """In the middle of a body, and while its request is being answered."""
    async with running() as run:
        run.stage.hold()
        http = await Http.connect(run.http)
        request = asyncio.create_task(http.post(BODY, PROTOBUF))
        await run.stage.wait_offered()
        request.cancel()
        _reset(http.writer)
        raw = await Raw.connect(run)
        raw.writer.write(h2_frame(HEADERS, 4, 1, grpc_head()))
        raw.writer.write(h2_frame(DATA, 0, 1, b"\0\0\x0f\0\0x"))
        await raw.read_until(4)
        _reset(raw.writer)
        await wait_until(lambda: not run.value("bridge_receiver_connections"))

        assert run.value("bridge_receiver_in_flight_bytes") == 0
        assert run.stage.in_flight == 0


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST: nothing is read or written any more."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.parametrize("place", ["span", "resource", "event"])
@pytest.mark.parametrize("nested", [lists, maps])
async def test_values_nested_too_deep_are_malformed_on_every_transport(
    place: str, nested: Callable[[int], AnyValue]
) -> None:
    """gRPC, HTTP with protobuf and with JSON; what is as deep as allowed is taken unchanged."""
    _, make = PLACES[place]
    fits, deeper = make(nested(8)), make(nested(9))
    async with attacked(max_value_depth=8) as run:
        for body in (fits, deeper):
            text = otlp_json.encode(Signal.TRACES, body)
            status = 200 if body is fits else 400

            assert (await post(run.http, body)).status == status
            answer = await post(run.http, text, JSON)
            assert answer.status == status
        assert b"more than 8 deep" in answer.body
        await call(run.grpc, fits)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(run.grpc, deeper)

        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert [fits] * 3 == [batch.body for batch in run.stage.taken]
        for transport, number in (("grpc", 1), ("http", 2)):
            labels = {"receiver": "otlp", "transport": transport, "outcome": "malformed"}
            assert run.value("bridge_receiver_requests", **labels) == number


async def test_two_thousand_values_in_each_other_are_malformed_by_default() -> None:
    """Deeper than any protobuf library decodes, as protobuf and as JSON."""
    deep = span_around(2000)
    async with attacked() as run:
        assert (await post(run.http, deep)).status == 400
        json = b'{"resourceSpans":' + b"[" * 50_000
        assert (await post(run.http, json, JSON)).status == 400
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(run.grpc, deep)

        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("bomb", ["resources", "spans", "events", "metrics"])
async def test_object_bomb_is_refused_without_objects(bomb: str) -> None:
    """Two million empty messages in 4 MiB cost no memory, wherever they stand."""
    empty = b"\x12\x00" * (2 * MIB)
    body = {
        "resources": b"\x0a\x00" * (2 * MIB),
        "spans": framed(1, framed(2, empty)),
        "events": framed(1, framed(2, framed(2, b"\x5a\x00" * (5 * MIB)))),
        "metrics": framed(1, framed(2, framed(2, framed(5, b"\x0a\x00" * (2 * MIB))))),
    }[bomb]
    path = "/v1/metrics" if bomb == "metrics" else "/v1/traces"
    async with attacked() as run:
        before = rss_bytes()
        answers = [await post(run.http, body, PROTOBUF, path) for _ in range(3)]

        assert {413} == {answer.status for answer in answers}
        assert rss_bytes() - before < 2 * 3 * len(body) + 16 * MIB


@pytest.mark.parametrize("value", [b"{}", b"[]", b'""', b"1.5", b'{"a":[]}'])
async def test_json_bomb_is_refused_without_objects(value: bytes) -> None:
    """Values that nobody asked for would take thirty times the memory of the request."""
    body = b'{"unknown":[' + b",".join([value] * 2_500_000) + b"]}"
    async with attacked() as run:
        before = rss_bytes()
        answer = await post(run.http, body, JSON)

        assert answer.status == 413
        assert b"values: send smaller batches" in answer.body
        assert rss_bytes() - before < 2 * len(body) + 16 * MIB


def framed(number: int, content: bytes) -> bytes:
    """A field of a message."""
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def span_around(depth: int) -> bytes:
    """A span with so many lists in each other, which the official classes cannot make."""
    nested = b""
    for _ in range(depth):
        nested = framed(5, framed(1, nested))
    span = framed(1, b"t" * 16) + framed(9, framed(1, b"deep") + framed(2, nested))
    return framed(1, framed(2, framed(2, span)))


async def test_handshake_that_does_not_end_is_closed(tmp_path: Path) -> None:
    """TLS that is begun and never finished; others shake hands meanwhile."""
    authority = Authority(tmp_path)
    pem = str(authority.issue("receiver"))
    options = {"handshake_timeout": "300ms", "tls": {"cert_file": pem, "key_file": pem}}
    async with running(grpc_options=options, http_options=options) as run:
        for address in (run.receiver.endpoints()["grpc"], run.http):
            silent, silent_writer = await asyncio.open_connection(*address)
            begun, begun_writer = await asyncio.open_connection(*address)
            begun_writer.write(b"\x16\x03\x01\x02\x00\x01")
            context = ssl.create_default_context(cafile=str(authority.file))
            _, honest = await asyncio.open_connection(*address, ssl=context)
            for reader in (silent, begun):
                async with asyncio.timeout(10):
                    with contextlib.suppress(ConnectionError):
                        await reader.read()

            assert not honest.is_closing()
            for writer in (silent_writer, begun_writer, honest):
                writer.close()
