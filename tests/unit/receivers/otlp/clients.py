"""A running receiver and plain clients of it."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from bridge.core import ComponentId, Deadline, Extension, Settings, Signal, Stage
from bridge.receivers.otlp import FACTORY, OtlpReceiver, OtlpReceiverOptions
from bridge.testing import FakeHost, FakeStage, make_settings

EXPORT = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"
EXPORT_PATHS = {
    Signal.TRACES: EXPORT.format("trace", "Trace"),
    Signal.METRICS: EXPORT.format("metrics", "Metrics"),
    Signal.LOGS: EXPORT.format("logs", "Logs"),
}
PROTOBUF, JSON = "application/x-protobuf", "application/json"


@dataclass
class Running:
    """A receiver that listens, and the stage behind it."""

    receiver: OtlpReceiver
    stage: FakeStage
    settings: Settings

    @property
    def grpc(self) -> str:
        """Where gRPC is."""
        return "{}:{}".format(*self.receiver.endpoints()["grpc"])

    @property
    def http(self) -> tuple[str, int]:
        """Where HTTP is."""
        return self.receiver.endpoints()["http"]

    def value(self, name: str, **labels: str) -> float:
        """A figure of the receiver."""
        return float(self.settings.metrics.value(name, **labels))  # type: ignore[attr-defined]  # a RecordingMetrics


@asynccontextmanager
async def running(
    stage: FakeStage | None = None,
    *,
    signals: tuple[Signal, ...] = tuple(Signal),
    grpc_options: dict[str, Any] | None = None,
    http_options: dict[str, Any] | None = None,
    extensions: dict[str, Extension] | None = None,
    stop_s: float = 5.0,
    **options: Any,
) -> AsyncIterator[Running]:
    """A receiver on free ports, stopped at the end."""
    stage = stage or FakeStage()
    config = OtlpReceiverOptions.model_validate(
        {
            "protocols": {
                "grpc": {"endpoint": "127.0.0.1:0", **(grpc_options or {})},
                "http": {"endpoint": "127.0.0.1:0", **(http_options or {})},
            },
            **options,
        }
    )
    host = FakeHost(
        extensions={ComponentId.parse(name): each for name, each in (extensions or {}).items()}
    )
    settings = make_settings("otlp", host=host)
    downstream: dict[Signal, Stage] = dict.fromkeys(signals, stage)
    receiver = FACTORY.create(config, settings, downstream)
    await receiver.start()
    assert isinstance(receiver, OtlpReceiver)
    try:
        yield Running(receiver, stage, settings)
    finally:
        stage.release()
        await receiver.stop(Deadline.after(stop_s, settings.clock))


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Http:
    """One HTTP/1.1 connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sent: list[bytes] = field(default_factory=list)

    @classmethod
    async def connect(cls, address: tuple[str, int]) -> "Http":
        """Open it."""
        return cls(*await asyncio.open_connection(*address))

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)

    async def post(
        self,
        body: bytes,
        content_type: str = PROTOBUF,
        path: str = "/v1/traces",
        method: str = "POST",
        **headers: str,
    ) -> Answer:
        """Send a request and read its answer."""
        lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        if content_type:
            lines.append(f"Content-Type: {content_type}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join((*lines, "", "")).encode() + body)
        return await self.read()

    async def read(self) -> Answer:
        """Read one answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(head[0].split()[1]), headers, body)

    async def closed(self) -> bool:
        """Whether the other side has nothing more to say."""
        return await self.reader.read() == b""

    def close(self) -> None:
        """Close it."""
        self.writer.close()


async def post(address: tuple[str, int], body: bytes, *args: str, **kwargs: str) -> Answer:
    """One request on a connection of its own."""
    http = await Http.connect(address)
    try:
        return await http.post(body, *args, **kwargs)
    finally:
        http.close()


async def call(
    target: str,
    body: bytes,
    path: str = EXPORT_PATHS[Signal.TRACES],
    *,
    compression: grpc.Compression | None = None,
    timeout_s: float = 10.0,
    metadata: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """One gRPC call with raw bytes; raises `grpc.aio.AioRpcError`."""
    async with grpc.aio.insecure_channel(target) as channel:
        method = channel.unary_unary(path)
        answer: bytes = await method(
            body, timeout=timeout_s, compression=compression, metadata=metadata
        )
        return answer


def details_of(error: grpc.aio.AioRpcError) -> bytes:
    """The serialized ``google.rpc.Status`` of an error, empty if there is none."""
    found = dict(error.trailing_metadata() or ())
    value = found.get("grpc-status-details-bin", b"")
    return value if isinstance(value, bytes) else value.encode()


def h2_frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame."""
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes((kind, flags))
        + struct.pack(">I", stream_id)
        + payload
    )
