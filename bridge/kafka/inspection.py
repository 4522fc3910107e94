"""
What a cluster says of itself and of our rights in it.

Asked from outside: nothing is written, no group is joined, no topic comes into being. What the
answers mean for a configuration is decided in ``bridge/service/doctor``.
"""

import asyncio
import contextlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiokafka.errors as kafka
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import DescribeConfigsRequest, DescribeGroupsRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from bridge.kafka.asking import send_to_any
from bridge.kafka.errors import map_kafka_error
from bridge.kafka.inspection_protocol import (
    ConsumerGroupRequest,
    GroupRightsRequest,
    RightsRequest,
    decode_operations,
)

_TOPIC_RESOURCE = 2
_GROUP_COORDINATOR = 0
_PAUSE_S = 0.2
_CLOSE_S = 3.0

_GROUP_SHARE = 0.6
"""Of the time for everything: a group without a coordinator must not hide what was learnt."""

_DEAD = "Dead"
"""What brokers call a group that does not exist, or is none of the protocol that was asked for."""

NO_COORDINATOR = "no coordinator"
"""`GroupFacts.state` of a group that no broker is responsible for."""

SETTINGS = (
    "cleanup.policy",
    "compression.type",
    "max.message.bytes",
    "message.timestamp.type",
    "min.insync.replicas",
    "retention.bytes",
    "retention.ms",
)
"""The settings of a topic that are asked for."""


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """One partition: `leader` is -1 while it has none; replicas and those in sync, counted."""

    partition: int
    leader: int
    replicas: int
    in_sync: int


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """
    A topic that was asked for.

    `state` is ``there``, ``missing``, ``hidden`` (we may not see it) or another error's name.
    `operations` are what we may do, `None` if the brokers are too old to tell. `settings` is
    `None` if we may not read them.
    """

    name: str
    state: str
    partitions: tuple[PartitionFacts, ...] = ()
    operations: frozenset[str] | None = None
    settings: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """
    A consumer group. `hidden` if we may not see it; `members` are client id and host of each.

    `state` and `protocol` are the broker's words, such as ``Stable`` and ``cooperative-sticky``.
    `brokers_assign` says that the group speaks the consumer protocol (KIP-848): the brokers share
    the partitions out, and `protocol` is the name of how.
    """

    name: str
    hidden: bool = False
    state: str = ""
    protocol: str = ""
    members: tuple[tuple[str, str], ...] = ()
    operations: frozenset[str] | None = None
    brokers_assign: bool = False

    @property
    def active(self) -> bool:
        """Whether somebody is in it."""
        return bool(self.members)


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """
    What the cluster answered.

    `brokers` are node id, host and port as the cluster advertises them. `idempotence_refused`
    says that we may not write with an idempotent producer.
    """

    brokers: tuple[tuple[int, str, int], ...]
    topics: Mapping[str, TopicFacts]
    groups: Mapping[str, GroupFacts]
    idempotence_refused: bool = False


async def inspect_cluster(
    connection: Mapping[str, Any],
    *,
    topics: Collection[str] = (),
    patterns: Sequence[re.Pattern[str]] = (),
    groups: Collection[str] = (),
    idempotent: bool = False,
    timeout_s: float,
) -> ClusterFacts:
    """
    Ask about *topics*, those that match one of *patterns*, and *groups*.

    Args:
        idempotent: Whether to ask for a producer id, as an idempotent producer does first.
        timeout_s: Seconds for everything together.

    Raises:
        Unavailable, Denied: If the brokers do not answer, or do not let us in.
    """
    client = AIOKafkaClient(**{**connection, "request_timeout_ms": round(timeout_s * 1000)})
    try:
        async with asyncio.timeout(timeout_s):
            await client.bootstrap()
            return await _inspect(client, topics, patterns, groups, idempotent, timeout_s)
    except (kafka.KafkaError, OSError) as error:
        raise map_kafka_error(error, what="look at the cluster") from error
    finally:
        with contextlib.suppress(TimeoutError, kafka.KafkaError):
            async with asyncio.timeout(_CLOSE_S):
                await client.close()


async def _inspect(
    client: AIOKafkaClient,
    topics: Collection[str],
    patterns: Sequence[re.Pattern[str]],
    groups: Collection[str],
    idempotent: bool,
    timeout_s: float,
) -> ClusterFacts:
    names = set(topics)
    if patterns:
        everything = await ask(client, RightsRequest(None), MetadataRequest(None, False))
        found = (entry[1] for entry in everything.topics)
        names |= {name for name in found if any(one.match(name) for one in patterns)}
    answer = await ask(client, RightsRequest(sorted(names)), MetadataRequest(sorted(names), False))
    there = {facts.name: facts for facts in map(_topic, answer.topics) if facts.name in names}
    settings = await _settings(client, [one.name for one in there.values() if one.partitions])
    return ClusterFacts(
        brokers=tuple((node, host, port) for node, host, port, _ in answer.brokers),
        topics={
            name: _with_settings(there.get(name, TopicFacts(name, "missing")), settings)
            for name in sorted(names)
        },
        groups={
            name: await _group(client, name, timeout_s * _GROUP_SHARE / len(groups))
            for name in sorted(groups)
        },
        idempotence_refused=idempotent and await _idempotence_refused(client),
    )


async def ask(client: AIOKafkaClient, request: Any, older: Any = None, node: Any = None) -> Any:
    """
    The answer to *request*, or to *older* from brokers that do not know it; any may be asked.

    Raises:
        IncompatibleBrokerVersion: If they do not know it and there is no older form.
    """

    async def send(form: Any) -> Any:
        return await (send_to_any(client, form) if node is None else client.send(node, form))

    try:
        return await send(request)
    except (NotImplementedError, kafka.IncompatibleBrokerVersion):
        # No version in common: the library says so in either way.
        if older is None:
            raise kafka.IncompatibleBrokerVersion(type(request).__name__) from None
        return await send(older)


def _topic(entry: Any) -> TopicFacts:
    code, name, _, partitions = entry[:4]
    error = kafka.for_code(code)
    operations = decode_operations(entry[4]) if len(entry) > 4 else None
    states = {
        kafka.NoError: "there",
        kafka.LeaderNotAvailableError: "there",
        kafka.UnknownTopicOrPartitionError: "missing",
        kafka.TopicAuthorizationFailedError: "hidden",
    }
    return TopicFacts(
        name, states.get(error, error.__name__), tuple(sorted_partitions(partitions)), operations
    )


def sorted_partitions(entries: Iterable[Any]) -> list[PartitionFacts]:
    """Partitions of a metadata answer, ascending, whatever its version."""
    found = []
    for entry in entries:
        # Versions before 7 have no leader epoch between the leader and its replicas.
        replicas, in_sync = (entry[4], entry[5]) if len(entry) > 6 else (entry[3], entry[4])
        found.append(PartitionFacts(entry[1], entry[2], len(replicas), len(in_sync)))
    return sorted(found, key=lambda one: one.partition)


async def _settings(client: AIOKafkaClient, names: list[str]) -> dict[str, dict[str, str] | None]:
    if not names:
        return {}
    request = DescribeConfigsRequest([(_TOPIC_RESOURCE, name, list(SETTINGS)) for name in names])
    answer = await ask(client, request)
    return {
        resource[3]: {entry[0]: entry[1] or "" for entry in resource[4]}
        if kafka.for_code(resource[0]) is kafka.NoError
        else None
        for resource in answer.resources
    }


def _with_settings(facts: TopicFacts, settings: Mapping[str, dict[str, str] | None]) -> TopicFacts:
    return TopicFacts(
        facts.name, facts.state, facts.partitions, facts.operations, settings.get(facts.name)
    )


async def _group(client: AIOKafkaClient, name: str, timeout_s: float) -> GroupFacts:
    try:
        async with asyncio.timeout(timeout_s):
            entry = await _describe_group(client, name)
            newer = await _describe_newer(client, name) if entry[2] == _DEAD else None
    except kafka.GroupAuthorizationFailedError:
        return GroupFacts(name, hidden=True)
    except TimeoutError:
        return GroupFacts(name, state=NO_COORDINATOR)
    if newer is not None:
        members = tuple((member[4], member[5].lstrip("/")) for member in newer[7])
        operations = decode_operations(newer[8])
        return GroupFacts(name, False, newer[3], newer[6], members, operations, True)
    members = tuple((member[1], member[2].lstrip("/")) for member in entry[5])
    operations = decode_operations(entry[6]) if len(entry) > 6 else None
    return GroupFacts(name, False, entry[2], entry[4], members, operations)


async def _describe_group(client: AIOKafkaClient, name: str) -> Any:
    while True:
        try:
            node = await client.coordinator_lookup(_GROUP_COORDINATOR, name)
            request, older = GroupRightsRequest(name), DescribeGroupsRequest([name])
            entry = (await ask(client, request, older, node)).groups[0]
            error = kafka.for_code(entry[0])
            if error is kafka.NoError:
                return entry
            raise error(name)
        except kafka.KafkaError as problem:
            # A young cluster has no coordinators yet: the first question brings them into being.
            if not problem.retriable:
                raise
            await asyncio.sleep(_PAUSE_S)


async def _describe_newer(client: AIOKafkaClient, name: str) -> Any:
    """The group of the consumer protocol of that name; `None` if there is none."""
    node = await client.coordinator_lookup(_GROUP_COORDINATOR, name)
    try:
        entry = (await ask(client, ConsumerGroupRequest(name), node=node)).groups[0]
    except kafka.IncompatibleBrokerVersion:
        return None
    return entry if entry[0] == 0 else None


async def _idempotence_refused(client: AIOKafkaClient) -> bool:
    # A producer id that nobody uses costs the cluster nothing: it is a number from a block.
    answer = await ask(client, InitProducerIdRequest(None, 0))
    return kafka.for_code(answer.error_code) in (
        kafka.ClusterAuthorizationFailedError,
        kafka.TransactionalIdAuthorizationFailed,
    )
