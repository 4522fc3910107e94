"""Whether the consumer groups can be joined and keep up. Pure."""

from collections.abc import Sequence

from bridge.kafka import NO_COORDINATOR, ClusterFacts, GroupFacts, PartitionLag
from bridge.options import format_duration
from bridge.service.doctor.demands import Cluster, Reading
from bridge.service.doctor.findings import Finding, error, info, ok, warning

_SPOKEN = ("sticky", "range", "roundrobin")

_LATE_S = 300.0
"""Seconds after which the oldest unfinished record is worth a warning."""

_RETENTION_SHARE = 0.5
"""Of a topic's retention: who is behind by more than that will lose data soon."""


def judge_group(
    cluster: Cluster, reading: Reading, facts: ClusterFacts, lags: Sequence[PartitionLag]
) -> list[Finding]:
    """What hinders *reading*: other members' protocol, lost offsets, lag."""
    group = facts.groups.get(reading.group)
    if group is None or group.hidden:
        return []
    if group.state == NO_COORDINATOR:
        return [
            error(
                "BR-3508",
                f"group {group.name}",
                "no broker takes care of it: nobody can join it or commit",
                "see whether __consumer_offsets has leaders: kafka-topics --bootstrap-server "
                f"{cluster.broker} --describe --topic __consumer_offsets; its brokers are down, or "
                "offsets.topic.replication.factor is above the number of brokers",
            )
        ]
    found = _judge_members(cluster, reading, group, lags)
    found += _judge_lag(cluster, reading, facts, lags)
    if not any(one.severity.rank >= 2 for one in found):
        behind = sum(one.records for one in lags)
        count = len(group.members)
        members = f"{count} member{'s' * (count > 1)}" if count else "nobody in it"
        members += " by the consumer protocol" if group.brokers_assign and count else ""
        found.append(ok(f"group {group.name}", f"{members}, {behind} records to go"))
    return found


def _judge_members(
    cluster: Cluster, reading: Reading, group: GroupFacts, lags: Sequence[PartitionLag]
) -> list[Finding]:
    subject = f"group {group.name}"
    who = ", ".join(sorted({f"{client}@{host}" for client, host in group.members})[:5])
    if group.active and group.brokers_assign:
        return [
            info(
                "BR-3509",
                subject,
                f"its members speak the consumer protocol (KIP-848, {group.protocol}) and this "
                f"receiver the classic one: Kafka 4 lets both share the partitions: {who}",
                "nothing need be done; if brokers refuse to let it join, set "
                "group.consumer.migration.policy=bidirectional at them",
            )
        ]
    if group.active and group.protocol and group.protocol not in reading.strategies:
        spoken = group.protocol in _SPOKEN
        own = ", ".join(reading.strategies)
        mend = (
            f"set group_rebalance_strategies: [{group.protocol}] in {reading.component}"
            if spoken
            else "stop them first, then start this bridge; or set group_rebalance_strategies: "
            f"[{reading.strategies[0]}] on all of them; or give this receiver a group_id of its own"
        )
        return [
            error(
                "BR-3501",
                subject,
                f"its members share partitions by {group.protocol} and this receiver by {own}, so "
                f"that it cannot join: {who}",
                mend,
            )
        ]
    if lags and len(group.members) > len(lags):
        return [
            warning(
                "BR-3505",
                subject,
                f"{len(group.members)} members share {len(lags)} partitions: some have none",
                f"run fewer, or kafka-topics --bootstrap-server {cluster.broker} --alter with more "
                "partitions",
            )
        ]
    return []


def _judge_lag(
    cluster: Cluster, reading: Reading, facts: ClusterFacts, lags: Sequence[PartitionLag]
) -> list[Finding]:
    subject = f"group {reading.group}"
    found: list[Finding] = []
    lost = [one for one in lags if one.committed is not None and one.committed < one.begin]
    if lost:
        records = sum(one.begin - (one.committed or 0) for one in lost)
        found.append(
            error(
                "BR-3503",
                subject,
                f"{records} records were deleted by retention before they were finished, in "
                f"{len(lost)} partitions from {lost[0].topic}/{lost[0].partition}@"
                f"{lost[0].committed}",
                "they are gone; raise retention.ms of the topic, and add members: otlp-bridge lag "
                "--config FILE shows where it lags",
            )
        )
    beyond = [one for one in lags if one.committed is not None and one.committed > one.end]
    if beyond:
        one = beyond[0]
        found.append(
            error(
                "BR-3506",
                subject,
                f"it committed {one.topic}/{one.partition}@{one.committed}, beyond the end "
                f"{one.end}: the topic was made anew, or its end was lost",
                f"otlp-bridge offsets reset --config FILE --to-earliest --topic {one.topic}",
            )
        )
    oldest = max(lags, key=lambda one: one.seconds or 0.0, default=None)
    late_s = oldest.seconds or 0.0 if oldest is not None else 0.0
    if oldest is None or late_s <= _LATE_S + reading.hold_s:
        return found
    behind = sum(one.records for one in lags)
    late = format_duration(round(late_s))
    place = f"{oldest.topic}/{oldest.partition}"
    retention_s = _retention_s(facts, oldest.topic)
    grow = "add members to the group, or see why the backend is slow: otlp-bridge lag --config FILE"
    if retention_s and late_s > retention_s * _RETENTION_SHARE:
        found.append(
            error(
                "BR-3502",
                subject,
                f"{behind} records to go, the oldest of {place} is {late} old and is deleted after "
                f"{format_duration(retention_s)}",
                f"raise retention.ms of {oldest.topic} now, then {grow}",
            )
        )
    else:
        cause = f"{behind} records to go, the oldest of {place} is {late} old"
        found.append(warning("BR-3502", subject, cause, grow))
    return found


def _retention_s(facts: ClusterFacts, topic: str) -> float:
    known = facts.topics.get(topic)
    text = (known.settings or {}).get("retention.ms", "") if known is not None else ""
    return int(text) / 1000 if text.isdecimal() else 0.0


def judge_new_group(
    reading: Reading, group: GroupFacts, lags: Sequence[PartitionLag]
) -> list[Finding]:
    """Said of a group that committed nothing: where it will begin."""
    if group.hidden or group.active or any(one.committed is not None for one in lags) or not lags:
        return []
    return [
        info(
            "BR-3504",
            f"group {reading.group}",
            "it committed nothing yet: it begins as initial_offset says",
        )
    ]
