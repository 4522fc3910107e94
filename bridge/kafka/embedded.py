"""
A Kafka in the process, for trying out and for tests: librdkafka's mock cluster.

It speaks the real protocol on real sockets, needs no installation and forgets everything when it
stops. What it cannot do: TLS, SASL, more than 5 MiB or 100,000 batches a partition (`EmbeddedGuard`
refuses before that), retention, and creating topics on request of a client with a chosen number of
partitions, which is why the topics are given here.
"""

import asyncio
import ctypes
import importlib.util
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.core import ConfigError
from bridge.kafka.closing import close_client
from bridge.kafka.embedded_guard import EmbeddedGuard, register, unregister

log = structlog.get_logger()

PARTITIONS = 12
"""Partitions of a topic by default: divisible by 2, 3, 4 and 6 consumers."""

START_TIMEOUT_S = 10.0
_ERROR_TEXT_BYTES = 512
_PRODUCER = 0


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record as the broker holds it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class EmbeddedBroker:
    """
    One in-process broker.

    Args:
        topics:
            Topics to create, with their number of partitions. A topic that is not named here comes
            into being with 4 partitions when a client first asks for it.
    """

    def __init__(self, topics: Mapping[str, int] | None = None) -> None:
        self._topics = dict(topics or {})
        self.guard = EmbeddedGuard()
        # What changes: set between start and stop.
        self._library: ctypes.CDLL | None = None
        self._client: int | None = None
        self._cluster: int | None = None
        self.bootstrap = ""

    async def start(self) -> str:
        """
        Start the broker and create the topics.

        Returns:
            Its address, ``127.0.0.1:port``, for `brokers`.

        Raises:
            ConfigError: If confluent-kafka is not installed or has no mock cluster in it.
        """
        async with asyncio.timeout(START_TIMEOUT_S):
            await asyncio.to_thread(self._start)
        register(self.bootstrap, self.guard)
        log.warning(
            "embedded_broker_started",
            bootstrap=self.bootstrap,
            topics=self._topics,
            note="for trying out: everything in it is lost when this process ends",
        )
        return self.bootstrap

    async def stop(self) -> None:
        """Close the sockets and forget all data. Safe before `start`, and safe twice."""
        if self.bootstrap:
            unregister(self.bootstrap)
            self.bootstrap = ""
        await asyncio.to_thread(self._stop)

    def create_topic(self, name: str, partitions: int = PARTITIONS) -> None:
        """
        Create a topic on the running broker.

        Raises:
            ConfigError: If it exists already, or the name or count is not valid.
        """
        if self._library is None:
            raise ConfigError("the embedded broker is not running")
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if code:
            reason = self._library.rd_kafka_err2str(code).decode()
            raise ConfigError(f"embedded broker: topic {name} cannot be created: {reason}")
        self._topics[name] = partitions

    async def records(self, topic: str) -> list[StoredRecord]:
        """
        Everything that *topic* holds now, by partition and offset.

        Raises:
            ConfigError: If the broker is not running.
            TimeoutError: If it cannot be read within 10 s.
        """
        if not self.bootstrap:
            raise ConfigError("the embedded broker is not running")
        found: list[StoredRecord] = []
        async with asyncio.timeout(START_TIMEOUT_S), _reader(self.bootstrap, topic) as consumer:
            partitions = [
                TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)
            ]
            ends = await consumer.end_offsets(partitions)
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            while any([await consumer.position(at) < end for at, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += [StoredRecord(r.partition, r.offset, r.key, r.value) for r in records]
        return sorted(found, key=lambda record: (record.partition, record.offset))

    def _start(self) -> None:
        library = self._library = _load_library()
        error = ctypes.create_string_buffer(_ERROR_TEXT_BYTES)
        config = library.rd_kafka_conf_new()
        # The mock cluster logs every refused topic lookup; our clients report those themselves.
        library.rd_kafka_conf_set(config, b"log_level", b"0", error, _ERROR_TEXT_BYTES)
        self._client = library.rd_kafka_new(_PRODUCER, config, error, _ERROR_TEXT_BYTES)
        if not self._client:
            raise ConfigError(f"the embedded broker does not start: {error.value.decode()}")
        self._cluster = library.rd_kafka_mock_cluster_new(self._client, 1)
        if not self._cluster:
            raise ConfigError("the embedded broker does not start: no mock cluster")
        # Groups form at once: there is no second process whose members one could wait for.
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        for name, partitions in self._topics.items():
            self.create_topic(name, partitions)
        self.bootstrap = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def _stop(self) -> None:
        library, self._library = self._library, None
        cluster, self._cluster = self._cluster, None
        client, self._client = self._client, None
        if library is not None and cluster:
            library.rd_kafka_mock_cluster_destroy(cluster)
        if library is not None and client:
            library.rd_kafka_destroy(client)


@asynccontextmanager
async def _reader(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group: it commits nothing and disturbs nobody."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.unsubscribe()
        yield consumer
    finally:
        await close_client(consumer)


def _load_library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_find_library()))
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    number, size = ctypes.c_int, ctypes.c_size_t
    signatures: dict[str, tuple[object, list[object]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, size]),
        "rd_kafka_new": (pointer, [number, pointer, text, size]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_err2str": (text, [number]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        try:
            function = getattr(library, name)
        except AttributeError as error:
            raise ConfigError(
                f"the embedded broker needs librdkafka's mock cluster, and the installed "
                f"confluent-kafka has no {name} in it: pip install -U confluent-kafka"
            ) from error
        function.restype, function.argtypes = result, arguments
    return library


def _find_library() -> Path:
    """The librdkafka that the confluent-kafka wheel brings, wherever the platform puts it."""
    found = importlib.util.find_spec("confluent_kafka")
    if found is None or found.origin is None:
        raise ConfigError(
            "the embedded broker is not installed: pip install 'otlp-kafka-bridge[embedded]'"
        )
    package = Path(found.origin).parent
    for folder in (package.parent / "confluent_kafka.libs", package / ".dylibs"):
        # The wheel's name for it carries a hash.
        for path in sorted(folder.glob("librdkafka*")):
            return path
    raise ConfigError(
        f"the embedded broker needs the confluent-kafka wheel with its own librdkafka; {package} "
        "is built against another one: pip install --only-binary :all: confluent-kafka"
    )
