"""The ``kafka`` exporter's section, in the Collector's spelling."""

from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from bridge.core import Signal
from bridge.kafka import ClientConfig, Compression, Hasher, codec
from bridge.options import Duration, Options, RetryOnFailure, SendingQueue
from bridge.wire import COPIED_BYTES_MAX

Packing = Literal["partition", "trace"]

ENCODINGS: dict[Signal, frozenset[str]] = {
    Signal.TRACES: frozenset(
        {"otlp_proto", "otlp_json", "jaeger_proto", "jaeger_json", "zipkin_json"}
    ),
    Signal.METRICS: frozenset({"otlp_proto", "otlp_json"}),
    Signal.LOGS: frozenset({"otlp_proto", "otlp_json", "raw"}),
}
"""What each signal can be written as."""

JAEGER = frozenset({"jaeger_proto", "jaeger_json"})
"""Encodings that write one record a span with a key of their own."""


class CompressionParams(Options):
    """Settings of the codec."""

    level: int | None = None
    """Level of gzip (-1 to 9, by default 6), zstd (1 to 22, by default 1) or lz4 (0 to 12, by
    default 0)."""


class ProducerOptions(Options):
    """How records are written."""

    PROCESS_TOTALS = ("max_buffered_bytes",)

    max_message_bytes: int = Field(default=1_000_000, ge=1024)
    """Bytes of a record batch before compression. The topic's own limit holds besides."""

    max_broker_write_bytes: int = Field(default=104_857_600, ge=104_857_600, le=2**31 - 1)
    """Accepted for the Collector's sake; a request holds at most one batch for each partition."""

    required_acks: Literal["all", -1, 0, 1] = "all"
    """Who must have a batch before it counts as written. The Collector's 1 loses data."""

    compression: Compression = "none"
    """Codec of the record batches."""

    compression_params: CompressionParams = CompressionParams()
    """Settings of the codec."""

    flush_max_messages: int = Field(default=10_000, ge=0)
    """Requests that are joined at most before they are written; 0 for no limit."""

    allow_auto_topic_creation: bool = False
    """Let brokers create missing topics, with their default number of partitions."""

    linger: Duration = Field(default=0.01, ge=0)
    """
    Seconds, at most, that a request waits for others to share records and batches with. It waits no
    longer than until as many wait as did at one time within the last second or two: then every
    sender that was seen waits for its answer, and none is left who could send another request.
    """

    packing: Packing = "partition"
    """
    ``partition``: one record carries the traces of one partition; readers that group by trace id
    see no difference, and each record costs 10 to 20 us on either side. ``trace``: one keyed
    record for each resource, scope and trace, as the Collector writes them; needed by whoever
    repartitions by key.
    """

    max_buffered_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """Bytes of requests that wait for Kafka; above it senders are asked to come back later."""

    max_wait: Duration = Field(default=2.0, ge=0)
    """
    Seconds that writing what waits for Kafka may take, judged by what Kafka took in the last two;
    above it for half a second, senders are asked to come back later, so that what is taken is
    answered in time and not sent again. At least three times the shortest acknowledgement of late,
    and of no effect while less than a MiB waits. 0: no limit by time.
    """

    max_copied_bytes: int = Field(default=COPIED_BYTES_MAX, ge=1024)
    """
    Bytes by which the records of one request may exceed it, since each repeats the resource and the
    scope of its items; a request beyond that is refused for good, as one that is too large.
    """

    @field_validator("required_acks", mode="before")
    @classmethod
    def _acks_as_text(cls, value: object) -> object:
        return int(value) if value in ("-1", "0", "1") else value

    @model_validator(mode="after")
    def _level_exists(self) -> Self:
        codec(self.compression, self.compression_params.level)
        return self

    @property
    def acks(self) -> Literal["all", 1, 0]:
        """`required_acks` with one spelling for all."""
        if self.required_acks == 0 or self.required_acks == 1:
            return self.required_acks
        return "all"


class SignalOptions(Options):
    """Where one signal goes, and as what."""

    topic: str = ""
    """Topic; the default is otlp_spans, otlp_metrics or otlp_logs."""

    encoding: str = "otlp_proto"
    """What a record holds; `ENCODINGS` names what each signal can be."""

    topic_from_metadata_key: str = ""
    """Request metadata whose first value names the topic; needs `allowed_topics`."""

    message_key_from_metadata_key: str = ""
    """Request metadata whose first value is the records' key."""


class StickyKey(Options):
    """Equal keys go to one partition; records without a key go where the batch goes."""

    hasher: Hasher = "sarama_compat"
    """``sarama_compat`` as Collectors and Sarama hash, ``murmur2`` as the Java client does."""


class RecordPartitioner(Options):
    """How partitions are chosen: one of the two."""

    sticky_key: StickyKey | None = None
    """By key."""

    round_robin: dict[str, Any] | None = None
    """One after the other, whatever the key. Spreads the spans of a trace: not for sampling."""

    @model_validator(mode="before")
    @classmethod
    def _named_is_chosen(cls, values: Any) -> Any:
        # YAML's ``round_robin:`` without anything behind it means an empty section.
        if isinstance(values, dict):
            return {name: {} if value is None else value for name, value in values.items()}
        return values

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.sticky_key is not None and self.round_robin is not None:
            raise ValueError("choose one of sticky_key and round_robin")
        return self


class RecordHeader(Options):
    """A header with a fixed value."""

    name: str = Field(min_length=1)
    """Name as it is written."""

    value: SecretStr = SecretStr("")
    """Value; may be a secret and is never shown."""


class DeadLetter(Options):
    """Where records go that no limit allows."""

    topic: str = Field(min_length=1)
    """Topic; its ``max.message.bytes`` should be larger than that of the others."""


class KafkaExporterConfig(ClientConfig):
    """Writes OTLP to Kafka, every span of a trace to one partition."""

    producer: ProducerOptions = ProducerOptions()
    """How records are written."""

    timeout: Duration = Field(default=5.0, gt=0)
    """Seconds that a broker may take for one request."""

    retry_on_failure: RetryOnFailure = RetryOnFailure()
    """
    Whether a batch that was not acknowledged is sent again while its sender still waits;
    `initial_interval` is the longest pause in between.
    """

    sending_queue: SendingQueue = SendingQueue()
    """Accepted for the Collector's sake: nothing is acknowledged from a queue, and requests in
    flight are bounded by `producer.max_buffered_bytes`, not by a number of consumers."""

    traces: SignalOptions = SignalOptions()
    """Topic and encoding of spans."""

    metrics: SignalOptions = SignalOptions()
    """Topic and encoding of metrics."""

    logs: SignalOptions = SignalOptions()
    """Topic and encoding of log records."""

    topic: str = ""
    """Older spelling: the topic of all signals that name none."""

    encoding: str = ""
    """Older spelling: the encoding of all signals that name none."""

    traces_topic: str = ""
    """Older spelling of ``traces.topic``."""

    metrics_topic: str = ""
    """Older spelling of ``metrics.topic``."""

    logs_topic: str = ""
    """Older spelling of ``logs.topic``."""

    topic_from_attribute: str = ""
    """Resource attribute that names the topic; needs `allowed_topics`."""

    allowed_topics: list[str] = Field(default_factory=list)
    """
    Topics that data may choose: names, or regular expressions that begin with ``^``. What is not
    allowed goes to the signal's topic and is counted.
    """

    include_metadata_keys: list[str] = Field(default_factory=list)
    """Request metadata that becomes record headers, spelled as written here."""

    record_headers: list[RecordHeader] = Field(default_factory=list)
    """Headers of every record; a map of names to values is accepted too."""

    partition_traces_by_id: bool = True
    """Keep each trace on one partition. The Collector's default is false: it cannot be sampled."""

    partition_metrics_by_resource_attributes: bool = False
    """Keep the metrics of one resource on one partition."""

    partition_logs_by_resource_attributes: bool = False
    """Keep the log records of one resource on one partition."""

    partition_logs_by_trace_id: bool = False
    """Keep the log records of one trace on its partition."""

    record_partitioner: RecordPartitioner = RecordPartitioner()
    """How partitions are chosen."""

    dead_letter: DeadLetter | None = None
    """Where a span goes that is larger than its topic allows; without it the sender is told."""

    @field_validator("record_headers", mode="before")
    @classmethod
    def _headers_from_map(cls, value: object) -> object:
        if isinstance(value, dict):
            return [{"name": name, "value": text} for name, text in value.items()]
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.partition_logs_by_trace_id and self.partition_logs_by_resource_attributes:
            raise ValueError(
                "partition_logs_by_trace_id and partition_logs_by_resource_attributes exclude "
                "each other"
            )
        chosen_by_data = bool(self.topic_from_attribute)
        for signal in Signal:
            options = self.of(signal)
            chosen_by_data = chosen_by_data or bool(options.topic_from_metadata_key)
            if options.encoding not in ENCODINGS[signal]:
                known = ", ".join(sorted(ENCODINGS[signal]))
                raise ValueError(
                    f"{signal.value}.encoding {options.encoding!r} is unknown: "
                    f"choose one of {known}"
                )
            if options.message_key_from_metadata_key and (key := self._explicit_key_of(signal)):
                raise ValueError(
                    f"{signal.value}.message_key_from_metadata_key cannot be combined with {key}"
                )
        if chosen_by_data and not self.allowed_topics:
            raise ValueError(
                "topic_from_attribute and topic_from_metadata_key let senders choose the topic: "
                "set allowed_topics, for example [otlp_spans, '^tenant-.*$']"
            )
        return self

    def of(self, signal: Signal) -> SignalOptions:
        """The options of one signal with older spellings and the default topic filled in."""
        options: SignalOptions = getattr(self, signal.value)
        topic = options.topic or getattr(self, f"{signal.value}_topic") or self.topic
        named = "encoding" in options.model_fields_set
        return options.model_copy(
            update={
                "topic": topic or _TOPICS[signal],
                "encoding": options.encoding if named or not self.encoding else self.encoding,
            }
        )

    @property
    def by_trace(self) -> bool:
        """Whether traces are kept on one partition: asked for, or not said otherwise."""
        explicit = "partition_traces_by_id" in self.model_fields_set
        traces = self.of(Signal.TRACES)
        if traces.encoding in JAEGER or (traces.message_key_from_metadata_key and not explicit):
            return False
        return self.partition_traces_by_id

    @property
    def hasher(self) -> Hasher:
        """The hash of keys."""
        sticky = self.record_partitioner.sticky_key
        return sticky.hasher if sticky is not None else "sarama_compat"

    @property
    def round_robin(self) -> bool:
        """Whether keys do not decide partitions."""
        return self.record_partitioner.round_robin is not None

    def _explicit_key_of(self, signal: Signal) -> str:
        for name in _KEYS[signal]:
            if getattr(self, name) and name in self.model_fields_set:
                return name
        return ""


_TOPICS = {
    Signal.TRACES: "otlp_spans",
    Signal.METRICS: "otlp_metrics",
    Signal.LOGS: "otlp_logs",
}
_KEYS = {
    Signal.TRACES: ("partition_traces_by_id",),
    Signal.METRICS: ("partition_metrics_by_resource_attributes",),
    Signal.LOGS: ("partition_logs_by_resource_attributes", "partition_logs_by_trace_id"),
}
