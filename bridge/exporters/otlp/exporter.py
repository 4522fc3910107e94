"""The OTLP exporter over gRPC: the body goes out as the bytes that it is."""

import base64
import binascii
import math
import struct
from collections.abc import Mapping
from typing import Protocol, runtime_checkable
from urllib.parse import unquote_to_bytes

from bridge import __version__
from bridge.core import (
    Batch,
    ComponentId,
    ConfigError,
    Deadline,
    DeliveryError,
    Receipt,
    Settings,
    Signal,
    State,
    Status,
    Unavailable,
)
from bridge.exporters.otlp.channel import Channel
from bridge.exporters.otlp.connection import Answer, HeaderList
from bridge.exporters.otlp.options import OtlpOptions
from bridge.flow import (
    RESPONSE_BYTES_MAX,
    Compression,
    Sending,
    compress,
    decompress,
    grpc_error,
    receipt_of,
)
from bridge.options import reveal_headers

_PATHS = {
    signal: f"/opentelemetry.proto.collector.{package}/Export".encode()
    for signal, package in (
        (Signal.TRACES, "trace.v1.TraceService"),
        (Signal.METRICS, "metrics.v1.MetricsService"),
        (Signal.LOGS, "logs.v1.LogsService"),
    )
}

_STATUS_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
"""What an HTTP status without a gRPC status means, by the gRPC documentation; others UNKNOWN."""


@runtime_checkable
class HeaderSource(Protocol):
    """What an authenticator extension must have to serve an exporter."""

    def request_headers(self) -> Mapping[str, str]:
        """Headers with credentials for the next request; cheap, since asked for each time."""
        ...


class OtlpExporter:
    """Sends batches to an OTLP/gRPC backend and returns when it has taken them."""

    def __init__(
        self, options: OtlpOptions, settings: Settings, signals: frozenset[Signal]
    ) -> None:
        self._options = options
        self._settings = settings
        self._name = str(options.target)
        self._compression: Compression = options.compression or "none"
        self._sending = Sending(
            self._attempt,
            settings,
            retry=options.retry_on_failure,
            queue=options.sending_queue,
            request_bytes_max=options.max_request_bytes,
        )
        self._headers = {signal: self._fixed_headers(signal) for signal in signals}
        # Opened by `start`.
        self._channel: Channel | None = None
        self._auth: HeaderSource | None = None

    async def start(self) -> None:
        """
        Read the certificates. Connects with the first batch, so an absent backend is no error.

        Raises:
            ConfigError: If a TLS file cannot be used or the authenticator does not exist.
        """
        options = self._options
        keepalive = options.keepalive
        if options.auth is not None:
            self._auth = _find_auth(self._settings, options.auth.authenticator)
        tls = options.tls
        if tls.plaintext and not options.plaintext:
            tls = tls.model_copy(update={"insecure": False})  # https:// says so.
        self._channel = Channel(
            options.target,
            tls=None if options.plaintext else tls.context(["h2"]),
            connections_max=options.connections,
            answer_bytes_max=RESPONSE_BYTES_MAX,
            clock=self._settings.clock,
            keepalive=None
            if keepalive is None
            else (keepalive.time, keepalive.timeout, keepalive.permit_without_stream),
        )
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Finish what is under way until *deadline* and close the connections."""
        await self._sending.stop(deadline)
        if self._channel is not None:
            await self._channel.stop(deadline)
            self._channel = None

    async def deliver(self, batch: Batch) -> Receipt:
        """Deliver *batch* and wait for the backend's OK; see `bridge.core.Stage.deliver`."""
        return await self._sending.deliver(batch)

    async def _attempt(self, batch: Batch) -> Receipt:
        if self._channel is None:
            raise Unavailable(f"{self._settings.id} is not running")
        timeout_s = self._options.timeout
        if batch.origin.deadline is not None:
            timeout_s = min(timeout_s, batch.origin.deadline.remaining_s)
        body = await compress(self._compression, batch.body, self._options.compression_level)
        prefix = struct.pack(">?I", self._compression != "none", len(body))
        answer = await self._channel.call(
            self._request_headers(batch.signal, timeout_s), body, timeout_s, prefix
        )
        return read_answer(answer, self._name)

    def _fixed_headers(self, signal: Signal) -> HeaderList:
        options = self._options
        headers: HeaderList = [
            (b":method", b"POST"),
            (b":scheme", b"http" if options.plaintext else b"https"),
            (b":path", _PATHS[signal]),
            (b":authority", (options.authority or self._name).encode()),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"user-agent", f"otlp-bridge/{__version__}".encode()),
            (b"grpc-accept-encoding", b"identity,gzip"),
        ]
        if self._compression != "none":
            headers.append((b"grpc-encoding", self._compression.encode()))
        headers += [
            (name.encode(), value.encode())
            for name, value in reveal_headers(options.headers).items()
        ]
        return headers

    def _request_headers(self, signal: Signal, timeout_s: float) -> HeaderList:
        timeout_ms = max(1, math.ceil(timeout_s * 1000))
        headers = [*self._headers[signal], (b"grpc-timeout", f"{timeout_ms}m".encode())]
        if self._auth is not None:
            headers += [
                (name.lower().encode(), value.encode())
                for name, value in self._auth.request_headers().items()
            ]
        return headers


def read_answer(answer: Answer, backend: str) -> Receipt:
    """
    What the backend said.

    Raises:
        DeliveryError: By `bridge.flow.grpc_error`, when it is not OK or no gRPC answer at all.
    """
    status = answer.trailers or answer.headers
    if b"grpc-status" not in status:
        raise _no_grpc(answer, backend)
    code_text = status[b"grpc-status"].decode("latin-1")
    code = int(code_text) if code_text.isdecimal() else 2
    if code != 0:
        message = unquote_to_bytes(status.get(b"grpc-message", b"")).decode("utf-8", "replace")
        details = _decode_binary(status.get(b"grpc-status-details-bin", b""))
        raise grpc_error(code, message, details, backend)
    return receipt_of(_message(answer))


def _no_grpc(answer: Answer, backend: str) -> DeliveryError:
    text = answer.headers.get(b":status", b"").decode("latin-1")
    code = _STATUS_OF_HTTP.get(int(text) if text.isdecimal() else 0, 2)
    kind = answer.headers.get(b"content-type", b"nothing").decode("latin-1")
    return grpc_error(
        code, f"HTTP {text} with {kind}: is this an OTLP/gRPC endpoint?", b"", backend
    )


def _message(answer: Answer) -> bytes:
    """The one message of an OK answer, decompressed; without one it is a full success."""
    body = bytes(answer.body)
    if len(body) < 5:
        return b""
    compressed, length = struct.unpack_from(">?I", body)
    data = body[5 : 5 + length]
    if not compressed:
        return data
    encoding = answer.headers.get(b"grpc-encoding", b"").decode("latin-1")
    return decompress(encoding, data, RESPONSE_BYTES_MAX)


def _decode_binary(value: bytes) -> bytes:
    """The value of a ``-bin`` header; gRPC leaves the padding out."""
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return b""


def _find_auth(settings: Settings, authenticator: str) -> HeaderSource:
    extension = settings.host.extension(ComponentId.parse(authenticator))
    if not isinstance(extension, HeaderSource):
        raise ConfigError(f"auth.authenticator: {authenticator} cannot authenticate exporters")
    return extension
