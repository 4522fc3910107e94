"""Section ``exporters.otlp``: the Collector's OTLP/gRPC exporter."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bridge.flow import REQUEST_BYTES_MAX
from bridge.options import (
    Duration,
    Endpoint,
    Headers,
    Options,
    RetryOnFailure,
    SendingQueue,
    TlsClient,
    parse_endpoint,
)


def _check_endpoint(text: str) -> str:
    endpoint = parse_endpoint(text, 443 if text.strip().lower().startswith("https:") else None)
    if not endpoint.path and (not endpoint.host or not endpoint.port):
        raise ValueError(f"{text!r}: name the backend's host and port, as in backend:4317")
    return text


class Keepalive(Options):
    """``keepalive``: find out that the other side is gone although nobody said so."""

    time: Duration = 10.0
    """Seconds without a byte from the backend after which it is asked whether it is there."""

    timeout: Duration = 20.0
    """Seconds in which it must answer before the connection is given up."""

    permit_without_stream: bool = False
    """Ask also while no request is under way; some servers close the connection for that."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.time <= 0 or self.timeout <= 0:
            raise ValueError("time and timeout must be above 0")
        return self


class Auth(Options):
    """``auth``: which extension adds credentials to the requests."""

    authenticator: str
    """Id of the extension, which must be listed under ``service.extensions``."""


class OtlpOptions(Options):
    """Section ``exporters.otlp``."""

    endpoint: Annotated[str, AfterValidator(_check_endpoint)]
    """Backend as host:port; http:// and https:// decide about TLS, dns:/// is accepted."""

    tls: TlsClient = TlsClient()
    """TLS towards the backend; on unless `tls.insecure` is true."""

    headers: Headers = Field(default_factory=dict)
    """Metadata added to every request; values are secrets."""

    auth: Auth | None = None
    """Credentials from an extension."""

    compression: Literal["gzip", "zstd", "none", ""] = "gzip"
    """Compression of requests. gzip is what every OTLP server understands."""

    compression_level: int | None = Field(default=None, ge=0, le=22)
    """Level of the compression; unset for 1, the cheapest per byte saved."""

    timeout: Duration = 5.0
    """Seconds for one attempt, connecting included. The sender's deadline may shorten it."""

    connections: int = Field(default=1, ge=1, le=100)
    """Connections to the backend. More help where a load balancer spreads connections."""

    max_request_bytes: int = Field(default=REQUEST_BYTES_MAX, ge=1024)
    """Bytes before compression above which a request is split; OTLP servers take 64 MiB."""

    retry_on_failure: RetryOnFailure = RetryOnFailure()
    """How failed attempts are repeated."""

    sending_queue: SendingQueue = SendingQueue()
    """How many requests run and wait, and whether they are joined."""

    keepalive: Keepalive | None = None
    """Questions to a silent backend; off as in the Collector, since timeouts also find out."""

    balancer_name: str = "round_robin"
    """Accepted without effect: each new connection takes the addresses that DNS gives."""

    authority: str = ""
    """Name to send as ``:authority`` instead of the endpoint's."""

    wait_for_ready: bool = False
    """Accepted without effect: attempts are repeated by `retry_on_failure`."""

    read_buffer_size: int = Field(default=0, ge=0)
    """Accepted without effect: buffers grow with the data, under `max_request_bytes`."""

    write_buffer_size: int = Field(default=512 * 1024, ge=0)
    """Accepted without effect: buffers grow with the data, under `max_request_bytes`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.timeout <= 0:
            raise ValueError("timeout must be above 0: an attempt without an end would hang")
        return self

    @property
    def target(self) -> Endpoint:
        """Where to connect to."""
        text = self.endpoint
        return parse_endpoint(text, 443 if text.strip().lower().startswith("https:") else None)

    @property
    def plaintext(self) -> bool:
        """Whether no TLS is spoken; the endpoint's scheme decides before `tls`, as with grpc."""
        secure = self.target.secure
        return self.tls.plaintext if secure is None else not secure
