"""The ``receivers.kafka`` section, in the Collector's spelling."""

import re
from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from bridge.core import Signal
from bridge.kafka import ClientConfig
from bridge.options import Duration, Options
from bridge.wire import VALUE_DEPTH_LIMIT, VALUE_DEPTH_MAX

MIB: Final = 1 << 20
TOPIC_DEFAULTS: Final = {
    Signal.TRACES: "otlp_spans",
    Signal.METRICS: "otlp_metrics",
    Signal.LOGS: "otlp_logs",
}
"""The Collector's topics of each signal."""

ENCODINGS: Final = {
    Signal.TRACES: ("otlp_proto", "otlp_json", "zipkin_json", "jaeger_proto"),
    Signal.METRICS: ("otlp_proto", "otlp_json"),
    Signal.LOGS: ("otlp_proto", "otlp_json", "raw", "text", "json"),
}
"""What records of each signal may hold; logs also ``text_<charset>``."""

STRATEGIES: Final = ("sticky", "range", "roundrobin")
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class SignalTopics(Options):
    """Where one signal is read from."""

    topics: tuple[str, ...] = ()
    """Topics; empty for the Collector's default. If one begins with ``^``, all are patterns."""

    encoding: str = "otlp_proto"
    """What the records hold."""

    exclude_topics: tuple[str, ...] = ()
    """Patterns of topics that are left out; they match anywhere in a name."""

    topic: str = ""
    """Older spelling of `topics` with one topic."""

    @field_validator("topics", "exclude_topics", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def is_pattern(self) -> bool:
        """Whether the topics are regular expressions."""
        return any(topic.startswith("^") for topic in self.topics)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.topic and self.topics:
            raise ValueError("topic is the older spelling of topics: write only topics")
        if self.exclude_topics and not self.is_pattern:
            raise ValueError("exclude_topics needs a pattern in topics, such as ^otlp_.*")
        for pattern in (*(self.topics if self.is_pattern else ()), *self.exclude_topics):
            _check_pattern(pattern)
        for topic in (*(() if self.is_pattern else self.topics), *filter(None, (self.topic,))):
            if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
                raise ValueError(
                    f"{topic!r} is no topic: 1 to 249 letters, digits, dots, underscores, hyphens"
                )
        return self


def _check_pattern(pattern: str) -> None:
    if not pattern:
        raise ValueError("an empty pattern matches every topic: write ^.* if you mean that")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error


class AutoCommit(Options):
    """When offsets are committed. Only what was delivered is, in any case."""

    enable: bool = True
    """False commits as soon as something was delivered, instead of every `interval`."""

    interval: Duration = Field(default=1.0, gt=0)
    """Seconds between commits: what is delivered again after a crash, at most."""


class MessageMarking(Options):
    """When a record counts as done. The defaults lose nothing."""

    after: bool = True
    """
    Once it was delivered. False counts it as done when it is read: what a crash or an error hits
    is lost (counted as dropped). The Collector: false.
    """

    on_error: bool = False
    """
    Count it as done when `error_backoff` gave up on an error that may pass: lost, counted as
    dropped. False tries again without end.
    """

    on_permanent_error: bool | None = None
    """
    Count it as done when it can never be delivered and no `dead_letter` is set: lost, counted as
    dropped. Unset takes `on_error`.
    """


class HeaderExtraction(Options):
    """Record headers as resource attributes."""

    extract_headers: bool = False
    """Whether to add ``kafka.header.<name>`` to every resource."""

    headers: tuple[str, ...] = ()
    """Names of the headers, exactly as they are written."""


class ErrorBackoff(Options):
    """How a delivery that failed is tried again. Unlike in the Collector, it always is."""

    enabled: bool = True
    """False with `message_marking.on_error` drops at the first error. The Collector: false."""

    initial_interval: Duration = Field(default=0.25, gt=0)
    """Seconds of the first interval."""

    max_interval: Duration = Field(default=15.0, gt=0)
    """Seconds that an interval grows to at most."""

    multiplier: float = Field(default=2.0, ge=1.0)
    """Each interval is this many times the one before."""

    randomization_factor: float = Field(default=1.0, ge=0.0, le=1.0)
    """Waits are drawn from interval ± this share of it, so that partitions come back apart."""

    max_elapsed_time: Duration = Field(default=0.0, ge=0)
    """Seconds until `message_marking.on_error` applies; 0 for never."""


class DeadLetter(Options):
    """Where records go that can never be delivered."""

    topic: str
    """Topic of the dead letters. It must exist, or be one that the brokers create."""

    @field_validator("topic")
    @classmethod
    def _is_topic(cls, topic: str) -> str:
        if not _TOPIC.fullmatch(topic):
            raise ValueError(f"{topic!r} is no topic")
        return topic


class PartitionProcessing(Options):
    """Accepted, without effect: partitions are always independent of each other."""

    independent: bool = True
    """Without effect."""

    max_buffered_batches: int = Field(default=1, ge=1)
    """Without effect: `max_in_flight_batches` and the window sizes are what bounds a partition."""


class RecordsDelay(Options):
    """The delay histogram."""

    enabled: bool = False
    """Whether to measure how long records were in Kafka when they were read."""


class ReceiverMetrics(Options):
    """Figures that are off by default."""

    kafka_receiver_records_delay: RecordsDelay = RecordsDelay()
    """Seconds between producing and receiving; needs clocks that agree."""


class ReceiverTelemetry(Options):
    """What is measured."""

    metrics: ReceiverMetrics = ReceiverMetrics()
    """Figures that are off by default."""


class KafkaReceiverOptions(ClientConfig):
    """Read OTLP from Kafka as a member of a consumer group."""

    PROCESS_TOTALS = ("max_in_flight_total_mib",)

    group_id: str = Field(default="otel-collector", min_length=1)
    """The group: all members share the partitions, and the group remembers how far it is."""

    initial_offset: Literal["earliest", "latest"] = "earliest"
    """Where a group begins that has committed nothing. The Collector: latest, which skips."""

    session_timeout: Duration = Field(default=30.0, ge=6.0, le=1800.0)
    """Seconds without a heartbeat after which the group goes on without us. The Collector: 10s."""

    heartbeat_interval: Duration = Field(default=3.0, gt=0)
    """Seconds between heartbeats."""

    rebalance_timeout: Duration = Field(default=60.0, gt=0)
    """Seconds that the group waits for members when partitions move."""

    revoke_timeout: Duration = Field(default=30.0, gt=0)
    """Seconds for deliveries in flight when partitions are taken from us; the rest comes again."""

    group_rebalance_strategies: tuple[str, ...] = ()
    """How partitions are shared out: sticky, range, roundrobin. Empty for sticky."""

    group_rebalance_strategy: str = ""
    """Older spelling of `group_rebalance_strategies` with one strategy."""

    group_instance_id: str = ""
    """Name of a static member: a restart within `session_timeout` moves no partitions."""

    min_fetch_size: int = Field(default=1, ge=1)
    """Bytes that a broker waits for, until `max_fetch_wait`."""

    max_fetch_size: int = Field(default=MIB, ge=1)
    """Bytes of one fetch from one broker, compressed. A larger record batch comes nevertheless."""

    max_partition_fetch_size: int = Field(default=MIB, ge=1)
    """Bytes of one partition in a fetch, compressed. A larger batch comes nevertheless."""

    max_fetch_wait: Duration = Field(default=0.25, gt=0)
    """Seconds that a broker waits for `min_fetch_size`."""

    autocommit: AutoCommit = AutoCommit()
    """When offsets are committed."""

    message_marking: MessageMarking = MessageMarking()
    """When a record counts as done."""

    header_extraction: HeaderExtraction = HeaderExtraction()
    """Record headers as resource attributes."""

    error_backoff: ErrorBackoff = ErrorBackoff()
    """How a delivery that failed is tried again."""

    partition_processing: PartitionProcessing = PartitionProcessing()
    """Without effect."""

    telemetry: ReceiverTelemetry = ReceiverTelemetry()
    """What is measured."""

    traces: SignalTopics = SignalTopics()
    """Where traces are read from."""

    metrics: SignalTopics = SignalTopics()
    """Where metrics are read from."""

    logs: SignalTopics = SignalTopics()
    """Where logs are read from."""

    topic: str = ""
    """Older spelling: the topic of the one signal that is read."""

    encoding: str = ""
    """Older spelling: the encoding of every signal that names none."""

    dead_letter: DeadLetter | None = None
    """
    Where records go that can never be delivered. Without it the partition of such a record holds,
    until ``otlp-bridge dlq skip`` or `message_marking.on_permanent_error`.
    """

    islands: bool = True
    """
    Keep in the commits' metadata what was delivered out of order, so that a restart does not
    deliver it again. Switch off if another tool uses the metadata of this group.
    """

    max_in_flight_batches: int = Field(default=4, ge=1, le=1000)
    """Batches of one partition in delivery at the same time; 1 keeps the order of records."""

    max_in_flight_mib: int = Field(default=8, ge=1)
    """MiB of one partition that are read and not delivered, decompressed."""

    max_in_flight_total_mib: int = Field(default=128, ge=1)
    """The same for all partitions together; each gets an equal share."""

    max_batch_kib: int = Field(default=1024, ge=1)
    """KiB up to which consecutive records are joined into one batch; 1 joins almost none."""

    max_value_depth: int = Field(default=VALUE_DEPTH_MAX, ge=1, le=VALUE_DEPTH_LIMIT)
    """Lists and maps in each other in an attribute or a body; deeper ones make a record poison."""

    lag_interval: Duration = Field(default=5.0, gt=0)
    """Seconds between measurements of the lag."""

    @field_validator("group_rebalance_strategies")
    @classmethod
    def _spoken(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_check_strategy(name, names) for name in names)

    @field_validator("group_rebalance_strategy")
    @classmethod
    def _spoken_too(cls, name: str) -> str:
        return _check_strategy(name, (name,)) if name else name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.group_rebalance_strategy and self.group_rebalance_strategies:
            raise ValueError("write group_rebalance_strategies only, not also the older spelling")
        if self.heartbeat_interval * 2 > self.session_timeout:
            raise ValueError("heartbeat_interval must be at most half of session_timeout")
        if self.revoke_timeout >= self.rebalance_timeout:
            raise ValueError(
                "revoke_timeout must be below rebalance_timeout, or the group goes on without us "
                "while we wait"
            )
        if self.max_fetch_size < self.min_fetch_size:
            raise ValueError("max_fetch_size is below min_fetch_size")
        if self.error_backoff.max_interval < self.error_backoff.initial_interval:
            raise ValueError("error_backoff.max_interval is below initial_interval")
        for signal in Signal:
            check_encoding(signal, self.encoding_of(signal))
        sections = [self.section(signal) for signal in Signal]
        if self.topic and any(section.topics or section.topic for section in sections):
            raise ValueError("topic is the older spelling: write the topics of each signal only")
        return self

    @property
    def strategies(self) -> tuple[str, ...]:
        """The rebalance strategies to offer, the preferred one first."""
        return self.group_rebalance_strategies or (self.group_rebalance_strategy or "sticky",)

    def section(self, signal: Signal) -> SignalTopics:
        """The section of one signal."""
        return {Signal.TRACES: self.traces, Signal.METRICS: self.metrics, Signal.LOGS: self.logs}[
            signal
        ]

    def topics_of(self, signal: Signal) -> tuple[str, ...]:
        """The topics of *signal*, or patterns of them, with the older spellings and the default."""
        section = self.section(signal)
        if section.topics:
            return tuple(dict.fromkeys(section.topics))
        return (section.topic or self.topic or TOPIC_DEFAULTS[signal],)

    def encoding_of(self, signal: Signal) -> str:
        """What records of *signal* hold."""
        section = self.section(signal)
        if self.encoding and "encoding" not in section.model_fields_set:
            known = ENCODINGS[signal]
            # The older spelling was about the one signal that was read.
            return self.encoding if _is_known(self.encoding, known) else section.encoding
        return section.encoding


def _check_strategy(name: str, names: tuple[str, ...]) -> str:
    if name in STRATEGIES:
        return name
    if name != "cooperative-sticky":
        raise ValueError(f"unknown strategy {name!r}: one of {', '.join(STRATEGIES)}")
    raise ValueError(
        "cooperative-sticky is not spoken here. Write sticky instead: on all members of the group, "
        "Collectors included; or, if some must keep cooperative-sticky, give this receiver a "
        "group_id of its own"
    )


def check_encoding(signal: Signal, encoding: str) -> None:
    """
    Refuse an encoding that we cannot read.

    Raises:
        ValueError: With those that we can.
    """
    known = ENCODINGS[signal]
    if not _is_known(encoding, known):
        charset = ", text_<charset>" if "text" in known else ""
        raise ValueError(
            f"{signal.value}.encoding {encoding!r} is not supported: one of "
            f"{', '.join(known)}{charset}"
        )


def _is_known(encoding: str, known: tuple[str, ...]) -> bool:
    if encoding in known:
        return True
    if "text" not in known or not encoding.startswith("text_"):
        return False
    try:
        # Codecs that give no text are known too; only a decoding tells them apart.
        b"a".decode(encoding.removeprefix("text_"))
    except LookupError:
        return False
    except UnicodeError:
        return True
    return True
