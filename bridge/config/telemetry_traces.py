"""``service.telemetry.traces``: where the bridge sends spans of its own work, if anywhere."""

from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from bridge.options import Headers, Options, TlsClient, parse_endpoint, parse_url

RATIO = 0.01
"""Of the requests and batches that come in, how many are followed when nobody says."""


class AlwaysOnSection(Options):
    """``always_on``: follow everything."""


class AlwaysOffSection(Options):
    """``always_off``: follow nothing."""


class RatioSection(Options):
    """``trace_id_ratio_based``: follow a share of what comes in, chosen by chance."""

    ratio: float = Field(default=RATIO, ge=0, le=1)
    """Share from 0 to 1 of what comes in. Without any sampler it is 0.01 too; the Collector: 1."""


class RootSamplerSection(Options):
    """One of the samplers."""

    always_on: AlwaysOnSection | None = None
    """Follow everything."""

    always_off: AlwaysOffSection | None = None
    """Follow nothing."""

    trace_id_ratio_based: RatioSection | None = None
    """Follow a share."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} are set, of samplers there is one")
        return self

    def ratio(self) -> float:
        """The share that is followed, from 0 to 1."""
        if self.always_on is not None:
            return 1.0
        if self.always_off is not None:
            return 0.0
        return RATIO if self.trace_id_ratio_based is None else self.trace_id_ratio_based.ratio


class ParentBasedSection(Options):
    """``parent_based``: its `root` decides, since what comes in brings no parent."""

    root: RootSamplerSection = RootSamplerSection()
    """The sampler that decides."""


class SamplerSection(RootSamplerSection):
    """``sampler``."""

    parent_based: ParentBasedSection | None = None
    """Decide as its `root`."""

    def ratio(self) -> float:
        """The share that is followed, from 0 to 1."""
        return super().ratio() if self.parent_based is None else self.parent_based.root.ratio()


class OtlpSection(Options):
    """``exporter.otlp`` of a processor."""

    protocol: Literal["grpc", "http/protobuf"] = "http/protobuf"
    """How to send: OTLP over gRPC or over HTTP."""

    endpoint: str
    """host:port for gRPC, a URL for HTTP; one without a path gets ``/v1/traces``."""

    insecure: bool = False
    """Speak plain text where the endpoint's scheme says nothing."""

    headers: Headers = Field(default_factory=dict)
    """Headers added to every request; values are secrets."""

    compression: Literal["gzip", "none", ""] = "none"
    """Compression of requests."""

    timeout: int = Field(default=10_000, gt=0)
    """Milliseconds for one attempt, connecting included."""

    certificate: str = ""
    """PEM file with the authorities that the backend's certificate must come from."""

    client_certificate: str = ""
    """PEM file with our certificate, for backends that ask for one."""

    client_key: str = ""
    """PEM file with the key of `client_certificate`."""

    @field_validator("protocol", mode="before")
    @classmethod
    def _older_name(cls, protocol: Any) -> Any:
        return "grpc" if protocol == "grpc/protobuf" else protocol

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if self.protocol == "grpc":
            parse_endpoint(self.endpoint)
        else:
            parse_url(self._with_scheme())
        return self

    @property
    def target(self) -> str:
        """``host:port`` with its scheme if there is one, or the full URL."""
        if self.protocol == "grpc":
            return self.endpoint
        url = self._with_scheme().rstrip("/")
        return url if urlsplit(url).path else f"{url}/v1/traces"

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Where requests arrive."""
        if self.protocol == "grpc":
            endpoint = parse_endpoint(self.endpoint)
            return endpoint.host, endpoint.port
        parts = urlsplit(self.target)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def tls(self) -> TlsClient:
        """TLS towards the backend."""
        return TlsClient(
            insecure=self.insecure and not self.certificate,
            ca_file=self.certificate,
            cert_file=self.client_certificate,
            key_file=self.client_key,
        )

    def _with_scheme(self) -> str:
        if "://" in self.endpoint:
            return self.endpoint
        return f"http{'' if self.insecure else 's'}://{self.endpoint}"


class SpanExporterSection(Options):
    """``exporter`` of a processor."""

    otlp: OtlpSection | None = None
    """Send by OTLP."""


class BatchSection(Options):
    """``batch`` of a processor."""

    schedule_delay: int = Field(default=5_000, gt=0)
    """Milliseconds for which spans are gathered."""

    export_timeout: int = Field(default=30_000, gt=0)
    """Milliseconds after which spans that could not be sent are dropped and counted."""

    max_queue_size: int = Field(default=2_048, gt=0)
    """Spans that wait to be sent; further ones are dropped and counted."""

    max_export_batch_size: int = Field(default=512, gt=0)
    """Spans of one request; as many that wait are sent at once."""

    exporter: SpanExporterSection = SpanExporterSection()
    """Where to send them."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.max_export_batch_size > self.max_queue_size:
            raise ValueError(
                f"max_export_batch_size {self.max_export_batch_size} exceeds max_queue_size "
                f"{self.max_queue_size}: so many never wait"
            )
        return self


class SpanProcessorSection(Options):
    """One entry of ``service.telemetry.traces.processors``."""

    batch: BatchSection | None = None
    """Gather spans and send them together."""


class TracesSection(Options):
    """``service.telemetry.traces``: spans of the bridge's own work; none without a processor."""

    level: Literal["none", "basic", "normal", "detailed"] = "normal"
    """none switches them off; the other levels are alike."""

    sampler: SamplerSection = SamplerSection()
    """How much is followed: 0.01 of what comes in, unless it says otherwise."""

    processors: tuple[SpanProcessorSection, ...] = ()
    """Where spans go; the first that sends by OTLP counts, and there may be one."""

    @field_validator("level", mode="before")
    @classmethod
    def _any_case(cls, level: Any) -> Any:
        return level.lower() if isinstance(level, str) else level

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self._sending()) > 1:
            raise ValueError("several processors send, one backend is possible")
        return self

    @property
    def batch(self) -> BatchSection | None:
        """The processor that sends; `None` if nothing is to be followed."""
        if self.level == "none" or not self.sampler.ratio():
            return None
        return next(iter(self._sending()), None)

    @property
    def otlp(self) -> OtlpSection | None:
        """Where it sends to."""
        return None if self.batch is None else self.batch.exporter.otlp

    def _sending(self) -> list[BatchSection]:
        return [each.batch for each in self.processors if each.batch and each.batch.exporter.otlp]


HONOURED = {
    (): frozenset(("level", "sampler", "processors")),
    ("sampler",): frozenset(SamplerSection.model_fields),
    ("sampler", "always_on"): frozenset[str](),
    ("sampler", "always_off"): frozenset[str](),
    ("sampler", "parent_based"): frozenset(("root",)),
    ("processors",): frozenset(("batch",)),
    ("processors", "batch", "exporter"): frozenset(("otlp",)),
}
"""Keys that have an effect, by the path of their section; others there only make a warning."""
