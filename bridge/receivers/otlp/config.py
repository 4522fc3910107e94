"""The ``receivers.otlp`` section, in the Collector's spelling."""

from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from bridge.core import ComponentId
from bridge.options import Duration, Headers, Options, TlsServer, parse_endpoint
from bridge.wire import ITEMS_MAX, VALUE_DEPTH_LIMIT, VALUE_DEPTH_MAX

MIB: Final = 1 << 20
MESSAGE_MIB: Final = 64
CONCURRENT_STREAMS: Final = 100

Compression = Literal["", "gzip", "zstd", "zlib", "deflate"]


def _check_endpoint(text: str) -> str:
    endpoint = parse_endpoint(text)
    if endpoint.path:
        raise ValueError(f"{text!r}: unix sockets are not supported here: write host:port")
    if endpoint.secure is not None:
        raise ValueError(f"{text!r}: a listener has no scheme: write host:port")
    return text


class Auth(Options):
    """Who may send."""

    authenticator: str
    """Id of the extension that checks the headers of each request, as in ``bearertokenauth``."""

    @field_validator("authenticator")
    @classmethod
    def _is_id(cls, text: str) -> str:
        ComponentId.parse(text)
        return text


class Cors(Options):
    """Browsers of other origins that may send."""

    allowed_origins: tuple[str, ...] = ()
    """Origins that may send; each may hold one ``*``. Empty: none, CORS is off."""

    allowed_headers: tuple[str, ...] = ()
    """Request headers allowed beside the safe-listed ones; ``*`` allows all that are asked for."""

    exposed_headers: tuple[str, ...] = ()
    """Response headers that scripts may read beside the safe-listed ones."""

    max_age: int = Field(default=0, ge=0)
    """Seconds for which a browser may keep a preflight's answer; 0 leaves it to the browser."""


class ServerParameters(Options):
    """The Collector's `keepalive.server_parameters`."""

    max_connection_idle: Duration = Field(default=75.0, gt=0)
    """
    A connection without a request for this long (seconds) is closed. More than the 60 s at which
    metrics are sent by default, so that those senders find theirs open. The Collector: no limit.
    """

    max_connection_age: Duration = Field(default=300.0, gt=0)
    """
    A connection this old (seconds, ±10 %) is closed with GOAWAY, so that senders spread over
    workers and replicas again. The Collector: no limit.
    """

    max_connection_age_grace: Duration = Field(default=30.0, gt=0)
    """Seconds that requests in flight have left then."""

    time: Duration = Field(default=7200.0, gt=0)
    """A connection from which nothing came for this long (seconds) is pinged."""

    timeout: Duration = Field(default=20.0, gt=0)
    """Seconds after which a connection that does not answer that ping is closed."""


class EnforcementPolicy(Options):
    """Accepted, without effect: `max_control_frames_per_10s` is what bounds pings."""

    min_time: Duration = 300.0
    """Without effect."""

    permit_without_stream: bool = False
    """Without effect: pings without calls are permitted."""


class Keepalive(Options):
    """The Collector's `keepalive` block."""

    server_parameters: ServerParameters = ServerParameters()
    """How long connections live."""

    enforcement_policy: EnforcementPolicy = EnforcementPolicy()
    """Without effect."""


class _Listener(Options):
    tls: TlsServer | None = None
    """Certificate to serve with; plain text without it."""

    auth: Auth | None = None
    """Extension that checks each request; everyone may send without it."""

    include_metadata: bool = False
    """
    Hand the request's headers on, lower-case, to components that read them
    (`metadata_keys`, `topic_from_metadata_key`).
    """

    max_connections: int = Field(default=4096, ge=1)
    """Open connections a worker; further ones are closed at once."""

    handshake_timeout: Duration = Field(default=10.0, gt=0)
    """Seconds for a TLS handshake."""

    read_header_timeout: Duration = Field(default=10.0, gt=0)
    """Seconds for a request's head. The Collector's HTTP server: 1m."""

    body_progress_timeout: Duration = Field(default=30.0, gt=0)
    """Seconds in which at least 4 KiB of an unfinished body must arrive."""

    write_timeout: Duration = Field(default=30.0, gt=0)
    """Seconds for which a peer may leave answers unread."""

    max_header_size: int = Field(default=16 << 10, ge=1024)
    """Bytes of a request's head; of HTTP/2 the decompressed header list."""


class GrpcOptions(_Listener):
    """OTLP over gRPC."""

    endpoint: str = "localhost:4317"
    """``host:port`` to listen at; ``:port`` or ``0.0.0.0:port`` for all interfaces."""

    transport: Literal["tcp", "tcp4", "tcp6"] = "tcp"
    """IP version: tcp for what the host resolves to."""

    max_recv_msg_size_mib: int = Field(default=MESSAGE_MIB, ge=0, le=2048)
    """
    Largest message in MiB, as sent and decompressed; 0 is the default. OTLP 1.11's default; the
    Collector: 4.
    """

    max_concurrent_streams: int = Field(default=CONCURRENT_STREAMS, ge=0, le=100_000)
    """Calls in flight on one connection; 0 is the default. The Collector: no limit."""

    keepalive: Keepalive = Keepalive()
    """How long connections live."""

    read_buffer_size: int = 524_288
    """Accepted, without effect: the event loop chooses its buffers."""

    write_buffer_size: int = 0
    """Accepted, without effect."""

    max_resets_per_10s: int = Field(default=500, ge=1)
    """Calls a client may cancel in ten seconds on one connection before it is closed."""

    max_control_frames_per_10s: int = Field(default=1000, ge=10)
    """Frames without data in ten seconds on one connection, beside 4 for each frame with data."""

    _endpoint = field_validator("endpoint")(_check_endpoint)

    @property
    def message_bytes_max(self) -> int:
        """`max_recv_msg_size_mib` in bytes, with its default resolved."""
        return (self.max_recv_msg_size_mib or MESSAGE_MIB) * MIB

    @property
    def concurrent_streams_max(self) -> int:
        """`max_concurrent_streams` with its default resolved."""
        return self.max_concurrent_streams or CONCURRENT_STREAMS


class HttpOptions(_Listener):
    """OTLP over HTTP/1.1, protobuf and JSON."""

    endpoint: str = "localhost:4318"
    """``host:port`` to listen at; ``:port`` or ``0.0.0.0:port`` for all interfaces."""

    transport: Literal["tcp", "tcp4", "tcp6"] = "tcp"
    """IP version: tcp for what the host resolves to."""

    cors: Cors | None = None
    """Browsers of other origins that may send; none without it."""

    max_request_body_size: int = Field(default=MESSAGE_MIB * MIB, ge=0)
    """
    Largest body in bytes, as sent and decompressed; 0 is the default. OTLP 1.11's default; the
    Collector: 20 MiB.
    """

    response_headers: Headers = Field(default_factory=dict)
    """Headers added to every answer."""

    compression_algorithms: tuple[Compression, ...] = ("", "gzip", "zstd", "zlib", "deflate")
    """Content encodings that are accepted; "" is none."""

    traces_url_path: str = "/v1/traces"
    """Path for traces."""

    metrics_url_path: str = "/v1/metrics"
    """Path for metrics."""

    logs_url_path: str = "/v1/logs"
    """Path for logs."""

    read_timeout: Duration = Field(default=0.0, ge=0)
    """Seconds for a whole request; 0: no limit but `body_progress_timeout`, as in the Collector."""

    keep_alives_enabled: bool = True
    """Whether connections are used for more than one request."""

    idle_timeout: Duration = Field(default=75.0, gt=0)
    """
    A connection without a request for this long (seconds) is closed. More than the 60 s at which
    metrics are sent by default, so that those senders find theirs open. The Collector: 1m.
    """

    max_connection_age: Duration = Field(default=300.0, gt=0)
    """A connection this old (seconds, ±10 %) is closed after its next answer."""

    _endpoint = field_validator("endpoint")(_check_endpoint)

    @field_validator("traces_url_path", "metrics_url_path", "logs_url_path")
    @classmethod
    def _is_path(cls, path: str) -> str:
        if not path:
            raise ValueError("the path is empty: write for example /v1/traces")
        return path if path.startswith("/") else "/" + path

    @model_validator(mode="after")
    def _distinct_paths(self) -> Self:
        if len({self.traces_url_path, self.metrics_url_path, self.logs_url_path}) < 3:
            raise ValueError("traces_url_path, metrics_url_path and logs_url_path must differ")
        return self

    @property
    def body_bytes_max(self) -> int:
        """`max_request_body_size` with its default resolved."""
        return self.max_request_body_size or MESSAGE_MIB * MIB


class Protocols(Options):
    """What to listen for; a protocol that is not named is off."""

    grpc: GrpcOptions | None = None
    """OTLP over gRPC; an empty section takes the defaults."""

    http: HttpOptions | None = None
    """OTLP over HTTP; an empty section takes the defaults."""

    @model_validator(mode="before")
    @classmethod
    def _take_defaults(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: {} if section is None and key in ("grpc", "http") else section
                for key, section in value.items()
            }
        return value

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.grpc is None and self.http is None:
            raise ValueError("no protocol is named: write grpc: or http: below protocols")
        return self


class OtlpReceiverOptions(Options):
    """Receive OTLP from applications and Collectors."""

    PROCESS_TOTALS = ("max_in_flight_mib",)

    protocols: Protocols
    """The transports."""

    answer_timeout: Duration = Field(default=4.0, gt=0)
    """
    Seconds after which a request that nobody behind us took is answered UNAVAILABLE or 503. Below
    the 5 and 10 s after which Collectors and SDKs give up without having heard anything.
    """

    max_in_flight_mib: int = Field(default=256, ge=1)
    """
    MiB of bodies that may be held at once, as sent and decompressed, by all connections; of
    several workers each gets its share. Charged before a body is read; beyond it requests are
    answered with a retry hint.
    """

    max_items_per_request: int = Field(default=ITEMS_MAX, ge=1)
    """
    Spans, log records or data points of one request, counted without building objects; a request
    with more is refused for good, as one that is too large. So is one with more resources and
    scopes together, or with more than 16 times as many fields. 4 MiB hold about 100,000 of the
    smallest real spans, and two million empty ones. The Collector: no limit.
    """

    max_value_depth: int = Field(default=VALUE_DEPTH_MAX, ge=1, le=VALUE_DEPTH_LIMIT)
    """
    Lists and maps in each other in an attribute or a body; a request with deeper ones is refused
    as malformed. Protobuf libraries decode 30 maps in each other at most. The Collector: no limit.
    """

    overload_retry_delay: Duration = Field(default=1.0, gt=0)
    """Seconds (±25 %) after which senders refused for lack of memory shall come back."""

    reuse_port: bool = False
    """Let several processes share the ports (SO_REUSEPORT), as workers do."""

    def share_min(self, name: str) -> int:
        """A largest request twice, compressed and not: less could refuse one for ever."""
        del name  # There is one total.
        grpc, http = self.protocols.grpc, self.protocols.http
        largest = max(grpc.message_bytes_max if grpc else 0, http.body_bytes_max if http else 0)
        return -(-2 * largest // MIB)

    @model_validator(mode="after")
    def _budget_holds_a_request(self) -> Self:
        least = self.share_min("max_in_flight_mib")
        if self.max_in_flight_mib < least:
            raise ValueError(
                f"max_in_flight_mib must hold a largest request twice, compressed and not: at "
                f"least {least}, or lower max_recv_msg_size_mib and max_request_body_size"
            )
        return self
