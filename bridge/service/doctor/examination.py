"""The whole examination, in the order in which one cause hides the next."""

import asyncio
from collections.abc import Callable, Sequence

from bridge.config import LoadedConfig
from bridge.core import Clock, ConfigError, DeliveryError, Signal
from bridge.kafka import (
    NO_COORDINATOR,
    ClusterFacts,
    PartitionLag,
    SampledRecord,
    connection_kwargs,
    inspect_cluster,
    read_lag,
    sample_records,
)
from bridge.service.doctor.backends import judge_backends
from bridge.service.doctor.demands import Cluster, Reading, clusters_of
from bridge.service.doctor.findings import Finding, error, failed, info, warning
from bridge.service.doctor.groups import judge_group, judge_new_group
from bridge.service.doctor.machine import judge_machine
from bridge.service.doctor.reach import judge_advertised, judge_brokers
from bridge.service.doctor.records import judge_clock, judge_places
from bridge.service.doctor.rights import judge_rights
from bridge.service.doctor.topics import judge_topics

EMBEDDED = "embedded"

SAMPLED_NEWEST = 8
"""Records of each partition that are looked at: of 12 partitions some hundred, in one fetch."""

Progress = Callable[[str], None]
"""Told what is looked at next."""


async def examine(
    loaded: LoadedConfig, clock: Clock, *, timeout_s: float, progress: Progress
) -> list[Finding]:
    """
    Look at everything that *loaded* needs: brokers, rights, topics, groups, backends, machine.

    Nothing is written, created, joined or changed; backends get an empty request.

    Args:
        timeout_s: Seconds for each question; what does not answer in time is a finding.
        progress: Called before each part.
    """
    found: list[Finding] = []
    for cluster in clusters_of(loaded):
        found += await _examine_cluster(cluster, clock, timeout_s, progress)
    progress("backends")
    found += await judge_backends(loaded, clock, timeout_s)
    progress("this machine")
    found += await asyncio.to_thread(judge_machine, loaded)
    return found


async def _examine_cluster(
    cluster: Cluster, clock: Clock, timeout_s: float, progress: Progress
) -> list[Finding]:
    if cluster.client.brokers == [EMBEDDED]:
        cause = "it runs inside the process and is for trying out: there is nothing to look at"
        return [info("BR-3001", "embedded broker", cause)]
    progress(f"brokers {', '.join(cluster.client.brokers)}")
    try:
        found = await judge_brokers(cluster, timeout_s)
        connection = connection_kwargs(cluster.client)
    except ConfigError as problem:
        subject = ", ".join(cluster.components)
        return [error("BR-3112", subject, str(problem), "correct its tls or auth section")]
    unreached = {one.subject for one in found if one.severity.rank >= 3}
    if len(unreached) == len(set(cluster.client.brokers)):
        return found
    progress("topics and rights")
    try:
        facts = await inspect_cluster(
            connection,
            topics=cluster.topics,
            patterns=[one for reading in cluster.readings for one in reading.patterns],
            groups={reading.group for reading in cluster.readings},
            idempotent=any(writing.all_acks for writing in cluster.writings),
            timeout_s=timeout_s,
        )
    except DeliveryError as problem:
        mend = "see the brokers' logs, and kafka-broker-api-versions --bootstrap-server "
        return [*found, failed("BR-3113", "cluster", problem, mend + cluster.broker)]
    found += await judge_advertised(cluster, facts, timeout_s)
    found += judge_rights(cluster, facts)
    found += judge_topics(cluster, facts)
    for reading in cluster.readings:
        progress(f"group {reading.group}")
        found += await _examine_group(cluster, reading, facts)
    progress("newest records")
    found += await _examine_records(cluster, facts, clock, timeout_s)
    return found


async def _examine_group(cluster: Cluster, reading: Reading, facts: ClusterFacts) -> list[Finding]:
    lags: Sequence[PartitionLag] = ()
    problems: list[Finding] = []
    readable = [
        name
        for name, topic in facts.topics.items()
        if topic.partitions and (name in reading.signals or _matches(reading, name))
    ]
    group = facts.groups[reading.group]
    if readable and not group.hidden and group.state != NO_COORDINATOR:
        try:
            lags = await read_lag(connection_kwargs(cluster.client), reading.group, readable)
        except DeliveryError as problem:
            cause = f"how far it is cannot be seen: {problem}"
            mend = getattr(problem, "hint", "") or "otlp-bridge lag --config FILE"
            problems.append(warning("BR-3507", f"group {reading.group}", cause, mend))
    found = judge_group(cluster, reading, facts, lags)
    return [*problems, *found, *judge_new_group(reading, group, lags)]


async def _examine_records(
    cluster: Cluster, facts: ClusterFacts, clock: Clock, timeout_s: float
) -> list[Finding]:
    """Look at the newest records of the topics of traces that we may read."""
    traces = {
        name
        for one in cluster.readings
        for name, signal in one.signals.items()
        if signal is Signal.TRACES
    } | {one.topic for one in cluster.writings if one.hasher is not None}
    sampled = {
        name: len(facts.topics[name].partitions)
        for name in sorted(traces)
        if facts.topics[name].partitions and _may_read(facts, name)
    }
    if not sampled:
        return []
    try:
        records = await sample_records(
            connection_kwargs(cluster.client),
            sampled,
            newest=SAMPLED_NEWEST,
            timeout_s=timeout_s,
        )
    except DeliveryError as problem:
        mend = getattr(problem, "hint", "") or "run doctor again"
        cause = f"they cannot be read: {problem}"
        return [warning("BR-3405", f"records of {', '.join(sampled)}", cause, mend)]
    found: list[Finding] = []
    for name, partitions in sampled.items():
        own = [record for record in records if record.topic == name]
        found += _judge_records(cluster, facts, name, partitions, own, clock)
    return found


def _judge_records(
    cluster: Cluster,
    facts: ClusterFacts,
    name: str,
    partitions: int,
    records: list[SampledRecord],
    clock: Clock,
) -> list[Finding]:
    stamps = (facts.topics[name].settings or {}).get("message.timestamp.type", "")
    encodings = {one.encodings[name] for one in cluster.readings if name in one.encodings}
    found = judge_clock(cluster, name, stamps, records, clock.wall())
    if encodings <= {"otlp_proto"}:
        found += judge_places(
            cluster,
            name,
            partitions,
            records,
            frozenset(one.hasher for one in cluster.writings if one.topic == name and one.hasher),
            keeps_traces=any(one.hold_s for one in cluster.readings if name in one.signals),
        )
    return found


def _may_read(facts: ClusterFacts, name: str) -> bool:
    operations = facts.topics[name].operations
    return operations is None or "Read" in operations


def _matches(reading: Reading, name: str) -> bool:
    return any(pattern.match(name) for pattern in reading.patterns)
