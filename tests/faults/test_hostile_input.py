"""Hostile OTLP input to a real process, with honest clients beside."""

import asyncio
import gzip
import io
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
import pytest
from hpack import Encoder

from bridge.testing import trace_request
from tests.faults.scene import Bridge, Scene
from tests.load_clients import EXPORT

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(180)]

MIB = 1 << 20
CAP_MIB = 8
"""Request limit of these scenarios, so that twice the limit is well above noise."""

NOISE_MIB = 24
NOMINAL_REQUESTS = 100
P99_NOISE_S = 0.5
"""By how much a machine with other work may stretch one answer in a hundred."""

LINES_PER_S_MAX = 2
OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
INVALID_ARGUMENT, RESOURCE_EXHAUSTED = 3, 8
ENHANCE_YOUR_CALM = 0xB
FRAMES_A_TURN = 50


@dataclass
class Target:
    """The attacked process, and what it was like before."""

    scene: Scene
    bridge: Bridge

    async def post(self, body: bytes, **headers: str) -> int:
        """The status of one HTTP request; 0 if the connection was closed instead."""
        url = f"http://{self.scene.endpoints()[1]}/v1/traces"
        named = {"Content-Type": "application/x-protobuf"}
        named |= {key.replace("_", "-"): value for key, value in headers.items()}
        async with aiohttp.ClientSession() as session:
            with suppress(aiohttp.ClientError):
                async with session.post(url, data=io.BytesIO(body), headers=named) as response:
                    await response.read()
                    return response.status
        return 0

    async def call(self, message: bytes, encoding: str = "") -> int:
        """The gRPC status of one message, sent with its length prefix."""
        raw = await Raw.connect(self.scene.endpoints()[0])
        more = (("grpc-encoding", encoding),) if encoding else ()
        prefix = bytes([bool(encoding)]) + len(message).to_bytes(4, "big")
        raw.send(1, 4, 1, grpc_head(*more))
        try:
            return await raw.finish_call(prefix + message)
        finally:
            raw.close()


@dataclass
class Raw:
    """A raw HTTP/2 connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    window: int = 65_535
    sent: int = 0

    @classmethod
    async def connect(cls, endpoint: str) -> "Raw":
        """Open it, and greet."""
        host, _, port = endpoint.rpartition(":")
        raw = cls(*await asyncio.open_connection(host, int(port)))
        raw.writer.write(OPENING)
        return raw

    def send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """One frame."""
        head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
        self.writer.write(head + payload)

    async def breathe(self) -> None:
        """Let the honest clients have their turn, who live in this process too."""
        self.sent += 1
        if self.sent % FRAMES_A_TURN == 0:
            await asyncio.sleep(0)

    async def finish_call(self, data: bytes) -> int:
        """Send *data* on stream 1 and give the gRPC status."""
        sending = asyncio.create_task(self._send_data(data))
        try:
            async with asyncio.timeout(20):
                while True:
                    kind, _, payload = await self.frame()
                    # Literal fields: the status is one digit or two behind its name.
                    if kind == 1 and b"grpc-status" in payload:
                        at = payload.index(b"grpc-status") + 11
                        return int(payload[at + 1 : at + 1 + payload[at]])
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send_data(self, data: bytes) -> None:
        for start in range(0, len(data), 16_384):
            last = start + 16_384 >= len(data)
            self.send(0, int(last), 1, data[start : start + 16_384])
            await self.writer.drain()

    async def frame(self) -> tuple[int, int, bytes]:
        """Kind, stream and payload of the next frame."""
        head = await self.reader.readexactly(9)
        payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
        return head[3], int.from_bytes(head[5:9], "big"), payload

    async def wait_ended(self) -> int | None:
        """
        Wait for the end, and give its code.

        `None` if the end was a reset: the kernel throws away what we did not read before it.
        """
        async with asyncio.timeout(20):
            try:
                while True:
                    kind, _, payload = await self.frame()
                    if kind == 7:
                        return int.from_bytes(payload[4:8], "big")
            except (OSError, asyncio.IncompleteReadError):
                return None

    def close(self) -> None:
        """Close it at once."""
        self.writer.transport.abort()


def grpc_head(*more: tuple[str, str]) -> bytes:
    """The header block of a call."""
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", EXPORT),
        ("content-type", "application/grpc"),
        *more,
    )
    return bytes(Encoder().encode([(name, value, True) for name, value in fields]))


@asynccontextmanager
async def attacked(s: Scene, memory_mib: float = 2 * CAP_MIB + NOISE_MIB) -> AsyncIterator[Target]:
    """An ingest side under honest load; afterwards alive, quiet, and no larger than allowed."""
    from tests.faults import configs
    from tests.kafka_server import free_port

    health, metrics = free_port(), free_port()
    config = configs.ingest(s.brokers, s.topic, *s._ports, health, metrics)
    otlp = config["receivers"]["otlp"]
    otlp["protocols"]["grpc"]["max_recv_msg_size_mib"] = CAP_MIB
    otlp["protocols"]["http"]["max_request_body_size"] = CAP_MIB * MIB
    otlp["max_in_flight_mib"] = 4 * CAP_MIB
    ingest, _ = await asyncio.gather(s.bridge("ingest", config, health, metrics), s.process())
    s.clients.start()
    await s.clients.wait_acknowledged(NOMINAL_REQUESTS)
    nominal_s = _p99_s(s)
    s.clients.latencies_s.clear()
    before, lines, fds = ingest.rss_mib, ingest.log.count("\n"), ingest.fd_count
    began = time.monotonic()
    peak = [before]
    watching = asyncio.create_task(_watch(ingest, peak))
    try:
        yield Target(s, ingest)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    seconds = time.monotonic() - began
    await s.clients.wait_acknowledged(NOMINAL_REQUESTS // 2)
    attacked_s = _p99_s(s)
    lines = ingest.log.count("\n") - lines
    await s.clients.stop()
    await asyncio.sleep(0.5)
    held = await ingest.total("bridge_receiver_in_flight_bytes")
    fds = ingest.fd_count - fds
    await s.settle()
    s.row.notes.append(
        f"memory {before:.0f}, at most {max(peak):.0f} MiB; honest p99 {nominal_s * 1e3:.0f} to "
        f"{attacked_s * 1e3:.0f} ms; {lines} log lines in {seconds:.0f} s"
    )
    assert attacked_s < 2 * nominal_s + P99_NOISE_S
    assert max(peak) - before < memory_mib
    assert lines <= LINES_PER_S_MAX * seconds + 2
    assert held == 0
    assert fds <= 0
    assert s.clients.lasting == []


def _p99_s(s: Scene) -> float:
    ranked = sorted(s.clients.latencies_s)
    return ranked[int(0.99 * (len(ranked) - 1))] if ranked else float("nan")


async def _watch(bridge: Bridge, peak: list[float]) -> None:
    while True:
        peak.append(bridge.rss_mib)
        await asyncio.sleep(0.02)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def _field(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


@pytest.mark.faults("F25")
async def test_malformed_protobuf_is_a_lasting_refusal(scene: Callable[..., Scene]) -> None:
    """Random bytes, a cut varint, a wrong wire type: INVALID_ARGUMENT and 400."""
    good = trace_request(2, 2).body
    async with scene() as s, attacked(s) as target:
        for bad in (s.dice.randbytes(500), b"\x0a\xff", good[:-5], b"\x0d" + good, b"\x0b" + good):
            assert await target.post(bad) == 400
            assert await target.call(bad) == INVALID_ARGUMENT
        assert await target.post(b"\x1f\x8b" + bytes(20), Content_Encoding="gzip") == 400


@pytest.mark.quick
@pytest.mark.faults("F26")
async def test_deep_nesting_ends_no_process(scene: Callable[..., Scene]) -> None:
    """Two thousand values in each other, and JSON fifty thousand deep."""
    nested = b""
    for _ in range(2_000):
        nested = _field(5, _field(1, nested))
    attribute = _field(1, b"deep") + _field(2, nested)
    span = _field(1, b"t" * 16) + _field(2, b"s" * 8) + _field(9, attribute)
    body = _field(1, _field(2, _field(2, span)))
    async with scene() as s, attacked(s) as target:
        protobuf = await target.post(body)
        by_grpc = await target.call(body)
        json = await target.post(
            b'{"resourceSpans":' + b"[" * 50_000, Content_Type="application/json"
        )
        s.row.notes.append(f"protobuf {protobuf} and {by_grpc}, JSON {json}")

        assert json == 400
        assert protobuf == 400
        assert by_grpc == INVALID_ARGUMENT


@pytest.mark.faults("F27")
async def test_decompression_bombs_stay_within_the_cap(scene: Callable[..., Scene]) -> None:
    """A GiB of zeros as gzip in one member and in many, and as zstd with a huge window."""
    import zstandard

    one = gzip.compress(bytes(64 * MIB), 6)
    parameters = zstandard.ZstdCompressionParameters(window_log=27, compression_level=3)
    zstd = zstandard.ZstdCompressor(compression_params=parameters).compress(bytes(256 * MIB))
    async with scene() as s, attacked(s) as target:
        for bomb, encoding in ((one, "gzip"), (one * 16, "gzip"), (zstd, "zstd")):
            assert await target.post(bomb, Content_Encoding=encoding) in (400, 413)
            assert await target.call(bomb, encoding) in (RESOURCE_EXHAUSTED, INVALID_ARGUMENT)


@pytest.mark.faults("F28")
async def test_object_bomb_is_counted_without_objects(scene: Callable[..., Scene]) -> None:
    """Two million empty messages in 4 MiB cost no memory, and honest clients little time."""
    resources = b"\x0a\x00" * (2 * MIB)
    spans = _field(1, _field(2, b"\x12\x00" * (2 * MIB)))
    async with scene() as s, attacked(s) as target:
        words = [await target.post(bomb) for bomb in (resources, spans)]
        codes = [await target.call(bomb) for bomb in (resources, spans)]
        s.row.notes.append(f"answered {words} and {codes}")

        assert set(words) == {413}
        assert set(codes) == {RESOURCE_EXHAUSTED}


@pytest.mark.faults("F29")
async def test_oversize_is_refused_by_its_declaration(scene: Callable[..., Scene]) -> None:
    """4 GiB by the prefix, 10 GiB by Content-Length, and chunks without end."""
    async with scene() as s, attacked(s):
        raw = await Raw.connect(s.endpoints()[0])
        raw.send(1, 4, 1, grpc_head())
        code = await raw.finish_call(b"\0\xff\xff\xff\xff" + bytes(100))
        raw.close()
        head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        declared = await _ask(s, head + b"Content-Length: 10737418240\r\n\r\n", 0)
        endless = await _ask(s, head + b"Transfer-Encoding: chunked\r\n\r\n", 64)

        assert code == RESOURCE_EXHAUSTED
        assert b" 413 " in declared
        assert b" 413 " in endless


async def _ask(s: Scene, head: bytes, chunks: int) -> bytes:
    """The status line that *head* and so many chunks of a MiB are answered with."""
    host, _, port = s.endpoints()[1].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head)
    with suppress(OSError):
        for _ in range(chunks):
            writer.write(b"100000\r\n" + bytes(MIB) + b"\r\n")
            await writer.drain()
    try:
        async with asyncio.timeout(20):
            return await reader.readline()
    finally:
        writer.transport.abort()


@pytest.mark.faults("F33")
async def test_thousand_slow_connections_do_not_disturb(scene: Callable[..., Scene]) -> None:
    """Half a thousand on each port that send one byte a second: others go on, then all end."""
    async with scene() as s, attacked(s, memory_mib=2 * NOISE_MIB) as target:
        crowd = []
        for endpoint, opening in (
            (s.endpoints()[0], b"PRI * HTTP/2.0\r\n"),
            (s.endpoints()[1], b"POST /v1/traces HTTP/1.1\r\nX: "),
        ):
            host, _, port = endpoint.rpartition(":")
            for _ in range(500):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(opening)
                crowd.append((reader, writer))
        await asyncio.sleep(1)
        full = target.bridge.fd_count
        for _ in range(18):
            await asyncio.sleep(1)
            for _, writer in crowd:
                with suppress(OSError):
                    writer.write(b"x")
        left = target.bridge.fd_count
        for _, writer in crowd:
            writer.transport.abort()
        await asyncio.sleep(0.5)
        s.row.notes.append(f"{full} descriptors, {left} after the head timeout of 10 s")

        assert full > 900
        assert left < 100


@pytest.mark.faults("F36")
async def test_rapid_reset_ends_its_connection_cheaply(scene: Callable[..., Scene]) -> None:
    """Ten thousand opened and cancelled calls."""
    head = grpc_head()
    async with scene() as s, attacked(s) as target:
        raw = await Raw.connect(s.endpoints()[0])
        cpu = target.bridge.cpu_s
        for stream in range(1, 20_001, 2):
            if raw.writer.is_closing():
                break
            raw.send(1, 4, stream, head)
            raw.send(3, 0, stream, b"\0\0\0\x08")
            await raw.breathe()
        code = await raw.wait_ended()
        cpu = target.bridge.cpu_s - cpu
        raw.close()
        s.row.notes.append(f"{cpu:.2f} s of CPU, honest load included")

        assert code in (ENHANCE_YOUR_CALM, None)
        assert cpu < 0.5


@pytest.mark.parametrize("kind", ["ping", "settings", "continuation", "headers"])
@pytest.mark.faults("F37")
async def test_control_frame_floods_end_their_connection(
    scene: Callable[..., Scene], kind: str
) -> None:
    """PING, SETTINGS, CONTINUATION, and one large field referred to again and again."""
    async with scene() as s, attacked(s) as target:
        raw = await Raw.connect(s.endpoints()[0])
        cpu = target.bridge.cpu_s
        if kind == "ping":
            for _ in range(20_000):
                raw.send(6, 0, 0, b"12345678")
                await raw.breathe()
        elif kind == "settings":
            for _ in range(20_000):
                raw.send(4, 0, 0, b"")
                await raw.breathe()
        elif kind == "continuation":
            raw.send(1, 0, 1, grpc_head())
            for _ in range(20_000):
                raw.send(9, 0, 1, b"")
                await raw.breathe()
        else:
            first = Encoder().encode([(":method", "POST"), ("x-bomb", "b" * 3_900)])
            raw.send(1, 5, 1, bytes(first))
            for stream in range(3, 1_203, 2):
                raw.send(1, 5, stream, b"\x83" + b"\xbe" * 4_000)
                await raw.breathe()
        code = await raw.wait_ended()
        cpu = target.bridge.cpu_s - cpu
        raw.close()
        s.row.notes.append(f"{kind}: {cpu:.2f} s of CPU, honest load included")

        assert code in (ENHANCE_YOUR_CALM, None)
        assert cpu < 1.0
