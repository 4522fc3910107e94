"""What a producer must know of a topic: how many partitions, and how large a batch may be."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import aiokafka.errors as kafka
import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.metadata import MetadataRequest

from bridge.core import Clock, DeliveryError
from bridge.kafka.again import afresh
from bridge.kafka.errors import map_kafka_error
from bridge.kafka.producer import Producer

log = structlog.get_logger()

_TOPIC_RESOURCE = 2
_REFUSAL_HOLDS_S = 1.0  # A missing topic is not asked for again by each request.
_REFUSALS_MAX = 1000
_LIMIT = "max.message.bytes"


@dataclass(frozen=True, slots=True)
class Topic:
    """
    A topic as it was when it was last asked about.

    `batch_bytes_max` is its ``max.message.bytes``: what a record batch may have as it goes over
    the wire; `None` if we may not read it.
    """

    name: str
    partitions: int
    batch_bytes_max: int | None


async def describe_topic(
    client: AIOKafkaClient,
    name: str,
    *,
    auto_create: bool,
    principal: str,
    timeout_s: float,
    broker: str = "",
) -> Topic:
    """
    Ask the cluster about a topic, without creating it unless *auto_create* says so.

    Raises:
        UnknownTopicOrPartitionError: If it does not exist.
        TopicAuthorizationFailedError: If we may not see it.
        KafkaError, OSError: If no broker answers within *timeout_s*.
    """
    async with asyncio.timeout(timeout_s):
        partitions = await _count_partitions(client, name, auto_create)
        # From here on aiokafka follows the topic itself; its own requests would create topics.
        await client.add_topic(name)
        limit = await _read_limit(client, name, principal, broker)
    return Topic(name, partitions, limit)


async def _count_partitions(client: AIOKafkaClient, name: str, auto_create: bool) -> int:
    attempts = 20 if auto_create else 1  # A topic that was just created has no leaders at first.
    for attempt in range(attempts):
        if attempt:
            await asyncio.sleep(0.1)
        response = await _ask(client, MetadataRequest([name], auto_create))
        for error_code, topic, _, partitions in response.topics:
            if topic != name:
                continue
            error = kafka.for_code(error_code)
            if error is kafka.NoError and partitions:
                return len(partitions)
            retry = auto_create and error in (
                kafka.NoError,
                kafka.LeaderNotAvailableError,
                kafka.UnknownTopicOrPartitionError,
            )
            if not retry and error is not kafka.NoError:
                raise error(name)
    raise kafka.UnknownTopicOrPartitionError(name)


async def _read_limit(client: AIOKafkaClient, name: str, principal: str, broker: str) -> int | None:
    try:
        request = DescribeConfigsRequest([(_TOPIC_RESOURCE, name, [_LIMIT])])
        response = await _ask(client, request)
    except kafka.IncompatibleBrokerVersion:
        log.info("topic_limit_unknown", topic=name, reason="the broker cannot describe configs")
        return None
    for resource in response.resources:
        error = kafka.for_code(resource[0])
        if error is not kafka.NoError:
            log.warning(
                "topic_limit_unknown",
                topic=name,
                reason=error.__name__,
                consequence="producer.max_message_bytes alone limits a batch",
                hint=f"kafka-acls --bootstrap-server {broker or 'HOST:9092'} --add "
                f"--allow-principal {principal or 'User:NAME'} "
                f"--operation DescribeConfigs --topic {name}",
            )
            return None
        for entry in resource[4]:
            if entry[0] == _LIMIT and entry[1]:
                return int(entry[1])
    return None


async def _ask(client: AIOKafkaClient, request: MetadataRequest | DescribeConfigsRequest) -> Any:
    """The answer of whichever broker is known."""
    node = client.get_random_node()
    if node is None:
        raise kafka.NoBrokersAvailable("no broker is known")
    return await client.send(node, request)


class TopicBook:
    """
    What is known of the topics that are written to, asked for once and again from time to time.

    Args:
        refresh_s: Seconds after which a topic is asked about again.
        timeout_s: Seconds that asking may take.
    """

    def __init__(
        self,
        producer: Producer,
        clock: Clock,
        *,
        auto_create: bool,
        refresh_s: float,
        timeout_s: float,
        principal: str = "",
        broker: str = "",
    ) -> None:
        self._producer = producer
        self._clock = clock
        self._auto_create = auto_create
        self._refresh_s = refresh_s
        self._timeout_s = timeout_s
        self._principal = principal
        self._broker = broker
        # What changes: answers and refusals with the time until which they hold.
        self._known: dict[str, tuple[Topic, float]] = {}
        self._refused: dict[str, tuple[DeliveryError, float]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    def known(self, name: str) -> Topic | None:
        """The topic, if nothing needs to be asked. Partitions that were added are seen here."""
        entry = self._known.get(name)
        if entry is None or entry[1] <= self._clock.monotonic():
            return None
        topic, until_s = entry
        raw = self._producer.raw
        partitions = raw.partitions(name) if raw is not None else 0
        if partitions > topic.partitions:
            topic = replace(topic, partitions=partitions)
            self._known[name] = topic, until_s
        return topic

    async def topic(self, name: str) -> Topic:
        """
        The topic, asked for if necessary.

        Raises:
            Denied: If it does not exist or we may not see it; the hint says what to type.
            Unavailable: If no broker answers.
            Interrupted: If the producer is stopping.
        """
        if (topic := self.known(name)) is not None:
            return topic
        lock = self._asking.setdefault(name, asyncio.Lock())
        try:
            async with lock:
                return self.known(name) or await self._ask_for(name)
        finally:
            if not lock.locked():
                self._asking.pop(name, None)

    def forget(self, name: str) -> None:
        """Ask about a topic again before it is written to the next time."""
        self._known.pop(name, None)

    async def _ask_for(self, name: str) -> Topic:
        now_s = self._clock.monotonic()
        refused = self._refused.get(name)
        if refused is not None and refused[1] > now_s:
            raise afresh(refused[0])
        raw = await self._producer.ready()
        try:
            topic = await describe_topic(
                raw.client,
                name,
                auto_create=self._auto_create,
                principal=self._principal,
                timeout_s=self._timeout_s,
                broker=self._broker,
            )
        except (kafka.KafkaError, OSError) as error:
            what = f"write to topic {name}"
            mapped = map_kafka_error(
                error, what=what, topic=name, principal=self._principal, broker=self._broker
            )
            if len(self._refused) >= _REFUSALS_MAX:
                self._refused.clear()
            self._refused[name] = mapped, self._clock.monotonic() + _REFUSAL_HOLDS_S
            raise mapped from error
        self._refused.pop(name, None)
        self._known[name] = topic, self._clock.monotonic() + self._refresh_s
        return topic
