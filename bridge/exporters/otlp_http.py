"""The ``otlp_http`` exporter: OTLP over HTTP/1.1, as protobuf or JSON."""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Literal, Protocol, Self, runtime_checkable
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
from pydantic import AfterValidator, Field, SecretStr, model_validator

from bridge import __version__
from bridge.core import (
    ACCEPTED,
    Batch,
    ComponentId,
    ConfigError,
    Deadline,
    Denied,
    ExporterFactory,
    Receipt,
    Refused,
    Settings,
    Signal,
    Stability,
    State,
    Status,
    Unavailable,
)
from bridge.flow import (
    REQUEST_BYTES_MAX,
    RESPONSE_BYTES_MAX,
    Compression,
    Sending,
    compress,
    decompress,
    http_error,
    make_receipt,
    receipt_of,
    status_message,
)
from bridge.options import (
    Duration,
    Headers,
    Options,
    RetryOnFailure,
    SendingQueue,
    TlsClient,
    parse_url,
    reveal_headers,
)
from bridge.wire import otlp_json

Url = Annotated[str, AfterValidator(lambda text: parse_url(text) if text else "")]


class Auth(Options):
    """``auth``: which extension adds credentials to the requests."""

    authenticator: str
    """Id of the extension, which must be listed under ``service.extensions``."""


class CompressionParams(Options):
    """``compression_params``."""

    level: int | None = Field(default=None, ge=0, le=22)
    """Level of the compression; unset for 1, the cheapest per byte saved."""


class OtlpHttpOptions(Options):
    """Section ``exporters.otlp_http`` (also ``otlphttp``)."""

    endpoint: Url = ""
    """Base URL, to which ``/v1/traces`` and its siblings are appended."""

    traces_endpoint: Url = ""
    """Full URL for traces, taken as it is."""

    metrics_endpoint: Url = ""
    """Full URL for metrics, taken as it is."""

    logs_endpoint: Url = ""
    """Full URL for logs, taken as it is."""

    encoding: Literal["proto", "json"] = "proto"
    """Body encoding. JSON costs several times the CPU of proto."""

    compression: Literal["gzip", "zstd", "none", ""] = "gzip"
    """Compression of requests. gzip is what every OTLP server understands."""

    compression_params: CompressionParams = CompressionParams()
    """How hard to compress."""

    headers: Headers = Field(default_factory=dict)
    """Headers added to every request; values are secrets."""

    auth: Auth | None = None
    """Credentials from an extension."""

    tls: TlsClient = TlsClient()
    """TLS for https endpoints."""

    timeout: Duration = 30.0
    """Seconds for one attempt, connecting included. The sender's deadline may shorten it."""

    proxy_url: SecretStr = SecretStr("")
    """Proxy to go through; empty for what HTTP_PROXY, HTTPS_PROXY and NO_PROXY say."""

    max_request_bytes: int = Field(default=REQUEST_BYTES_MAX, ge=1024)
    """Bytes of protobuf before compression above which a request is split."""

    retry_on_failure: RetryOnFailure = RetryOnFailure()
    """How failed attempts are repeated."""

    sending_queue: SendingQueue = SendingQueue()
    """How many requests run and wait, and whether they are joined."""

    max_conns_per_host: int = Field(default=0, ge=0)
    """Connections to one host; 0 leaves it to `sending_queue.num_consumers`."""

    idle_conn_timeout: Duration = 90.0
    """Seconds after which an unused connection is closed."""

    disable_keep_alives: bool = False
    """Open a connection for every request."""

    max_idle_conns: int = Field(default=100, ge=0)
    """Accepted without effect: idle connections are bounded by `num_consumers`."""

    max_idle_conns_per_host: int = Field(default=0, ge=0)
    """Accepted without effect: idle connections are bounded by `num_consumers`."""

    read_buffer_size: int = Field(default=0, ge=0)
    """Accepted without effect."""

    write_buffer_size: int = Field(default=512 * 1024, ge=0)
    """Accepted without effect."""

    http2_read_idle_timeout: Duration = 0.0
    """Accepted without effect: HTTP/1.1 is spoken."""

    http2_ping_timeout: Duration = 0.0
    """Accepted without effect: HTTP/1.1 is spoken."""

    force_attempt_http2: bool = True
    """Accepted without effect: HTTP/1.1 is spoken."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.timeout <= 0:
            raise ValueError("timeout must be above 0: an attempt without an end would hang")
        if not (
            self.endpoint or self.traces_endpoint or self.metrics_endpoint or self.logs_endpoint
        ):
            raise ValueError("endpoint is missing, as in http://backend:4318")
        return self

    def url(self, signal: Signal) -> str:
        """Where requests of *signal* go; empty if no endpoint serves it."""
        own: str = getattr(self, f"{signal.value}_endpoint")
        return own or (f"{self.endpoint}/v1/{signal.value}" if self.endpoint else "")


@runtime_checkable
class HeaderSource(Protocol):
    """What an authenticator extension must have to serve an exporter."""

    def request_headers(self) -> Mapping[str, str]:
        """Headers with credentials for the next request; cheap, since asked for each time."""
        ...


class OtlpHttpExporter:
    """Posts batches to an OTLP/HTTP backend and returns when it has taken them."""

    def __init__(
        self, options: OtlpHttpOptions, settings: Settings, signals: frozenset[Signal]
    ) -> None:
        for signal in sorted(signals, key=lambda signal: signal.value):
            if not options.url(signal):
                raise ConfigError(
                    f"exporters/{settings.id}: a pipeline sends {signal.value} but neither "
                    f"endpoint nor {signal.value}_endpoint is set"
                )
        self._options = options
        self._settings = settings
        self._urls = {signal: options.url(signal) for signal in signals}
        # Looked up once: the library would ask the environment in a thread for each request.
        own_proxy = options.proxy_url.get_secret_value()
        self._proxies = {signal: own_proxy or _env_proxy(url) for signal, url in self._urls.items()}
        self._compression: Compression = options.compression or "none"
        self._sending = Sending(
            self._attempt,
            settings,
            retry=options.retry_on_failure,
            queue=options.sending_queue,
            request_bytes_max=options.max_request_bytes,
        )
        # Opened by `start`.
        self._session: aiohttp.ClientSession | None = None
        self._auth: HeaderSource | None = None

    async def start(self) -> None:
        """
        Read the certificates. Connects with the first batch, so an absent backend is no error.

        Raises:
            ConfigError: If a TLS file cannot be used or the authenticator does not exist.
        """
        options = self._options
        if options.auth is not None:
            self._auth = self._find_auth(options.auth.authenticator)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=options.tls.context() or True,
                limit=0,
                limit_per_host=options.max_conns_per_host,
                force_close=options.disable_keep_alives,
                keepalive_timeout=None
                if options.disable_keep_alives
                else options.idle_conn_timeout,
            ),
            headers=self._fixed_headers(),
            auto_decompress=False,
        )
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Finish what is under way until *deadline* and close the connections."""
        await self._sending.stop(deadline)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def deliver(self, batch: Batch) -> Receipt:
        """Deliver *batch* and wait for the backend's OK; see `bridge.core.Stage.deliver`."""
        return await self._sending.deliver(batch)

    async def _attempt(self, batch: Batch) -> Receipt:
        if self._session is None:
            raise Unavailable(f"{self._settings.id} is not running")
        timeout_s = self._options.timeout
        if batch.origin.deadline is not None:
            timeout_s = min(timeout_s, batch.origin.deadline.remaining_s)
        url = self._urls[batch.signal]
        body = await self._encode(batch)
        headers = self._auth.request_headers() if self._auth is not None else {}
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.post(
                    url,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    timeout=_NO_TIMEOUT,
                    proxy=self._proxies[batch.signal],
                ) as response,
            ):
                return self._read(response, await _body(response, url), url)
        except TimeoutError as error:
            raise Unavailable(f"no answer from {url} within {timeout_s:g} s") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise Denied(
                f"the certificate of {url} is not trusted: {error.certificate_error}",
                hint="set tls.ca_file to its authority, or tls.server_name_override to its name",
            ) from error
        except aiohttp.ClientError as error:
            raise Unavailable(
                f"no answer from {url}: {str(error) or type(error).__name__}"
            ) from error

    async def _encode(self, batch: Batch) -> bytes:
        body = batch.body
        if self._options.encoding == "json":
            body = otlp_json.encode(batch.signal, body)
        return await compress(self._compression, body, self._options.compression_params.level)

    def _read(self, response: aiohttp.ClientResponse, data: bytes, url: str) -> Receipt:
        as_json = response.content_type == "application/json"
        if 200 <= response.status < 300:
            return _json_receipt(data) if as_json else receipt_of(data)
        if 300 <= response.status < 400:
            target = response.headers.get("Location", "nowhere")
            raise Refused(f"{url} redirects to {target}: set the endpoint to where the backend is")
        message = _json_message(data) if as_json else status_message(data)
        raise http_error(
            response.status,
            response.headers,
            message or data[:200].decode("utf-8", "replace"),
            url,
            self._settings.clock.wall(),
        )

    def _fixed_headers(self) -> dict[str, str]:
        json_body = self._options.encoding == "json"
        headers = {
            "Content-Type": "application/json" if json_body else "application/x-protobuf",
            "User-Agent": f"otlp-bridge/{__version__}",
            "Accept-Encoding": "gzip",
        }
        if self._compression != "none":
            headers["Content-Encoding"] = self._compression
        return headers | reveal_headers(self._options.headers)

    def _find_auth(self, authenticator: str) -> HeaderSource:
        extension = self._settings.host.extension(ComponentId.parse(authenticator))
        if not isinstance(extension, HeaderSource):
            raise ConfigError(f"auth.authenticator: {authenticator} cannot authenticate exporters")
        return extension


def _env_proxy(url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for *url*."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return getproxies_environment().get(parts.scheme)


_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)
"""The timeout of an attempt is ours, in one place; the library's default would be five minutes."""


async def _body(response: aiohttp.ClientResponse, url: str) -> bytes:
    """
    The answer's body, decompressed.

    Raises:
        Refused: If it exceeds `RESPONSE_BYTES_MAX`, before or after decompression.
    """
    data = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        data += chunk
        if len(data) > RESPONSE_BYTES_MAX:
            raise Refused(f"{url}: the answer exceeds {RESPONSE_BYTES_MAX} bytes")
    return decompress(
        response.headers.get("Content-Encoding", "").lower(), bytes(data), RESPONSE_BYTES_MAX
    )


def _json_receipt(data: bytes) -> Receipt:
    """The partial success of a JSON answer; what is no such answer counts as a full success."""
    partial = _json_object(data).get("partialSuccess")
    if not isinstance(partial, dict):
        return ACCEPTED
    rejected = 0
    for key in ("rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"):
        value = str(partial.get(key, 0))
        rejected += int(value) if value.isdecimal() else 0
    return make_receipt(rejected, str(partial.get("errorMessage", "")))


def _json_message(data: bytes) -> str:
    return str(_json_object(data).get("message", ""))


def _json_object(data: bytes) -> dict[str, object]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


FACTORY = ExporterFactory(
    "otlp_http",
    config=OtlpHttpOptions,
    create=OtlpHttpExporter,
    stability=Stability.BETA,
    aliases=("otlphttp",),
)
