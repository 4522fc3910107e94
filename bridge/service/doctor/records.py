"""Whether the records in a topic are what the configuration takes them for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.core import Malformed
from bridge.kafka import Hasher, SampledRecord, trace_partitions
from bridge.service.doctor.commands import set_config
from bridge.service.doctor.demands import Cluster
from bridge.service.doctor.findings import Finding, error, info, ok, warning
from bridge.service.record_traces import newest_end_s, traces_of

SKEW_S = 2.0
"""Seconds that a record may be ahead of this machine's clock: more is no jitter of the network."""

_HASHERS: tuple[Hasher, ...] = ("sarama_compat", "murmur2")
_SPLIT_SHARE = 0.02
"""Of the traces of a sample: fewer are leftovers of a time with other partitions."""


@dataclass(frozen=True, slots=True)
class Placed:
    """How many of the sampled traces are where each hash wants them."""

    traces: int
    right: Mapping[Hasher, int]
    split: int
    unreadable: int


def place(records: Sequence[SampledRecord], partitions: int) -> Placed:
    """
    Look where the traces of *records* are, which all come from one topic.

    A trace counts once for each partition it was met on.
    """
    met: dict[bytes, set[int]] = {}
    unreadable = 0
    for record in records:
        try:
            ids = traces_of(record)
        except Malformed:
            unreadable += 1
            continue
        for trace_id in ids:
            met.setdefault(trace_id, set()).add(record.partition)
    right = dict.fromkeys(_HASHERS, 0)
    ids_met = list(met)
    for hasher in _HASHERS:
        wanted = trace_partitions(ids_met, partitions, hasher)
        right[hasher] = sum(
            1 for trace_id, at in zip(ids_met, wanted, strict=True) if met[trace_id] == {at}
        )
    return Placed(len(met), right, sum(1 for at in met.values() if len(at) > 1), unreadable)


def judge_places(
    cluster: Cluster,
    topic: str,
    partitions: int,
    records: Sequence[SampledRecord],
    hashers: frozenset[Hasher],
    *,
    keeps_traces: bool,
) -> list[Finding]:
    """
    Whether writers of *topic* agree on partitions with each other and with us.

    Args:
        hashers: The hashes of our own exporters that write there; empty if none does.
        keeps_traces: Whether a processor needs all spans of a trace on one partition.
    """
    subject = f"records of {topic}"
    if not records:
        return [info("BR-3403", subject, "there are none yet: nothing to compare with")]
    placed = place(records, partitions)
    found: list[Finding] = []
    if placed.unreadable:
        found.append(
            error(
                "BR-3402",
                subject,
                f"{placed.unreadable} of {len(records)} newest are no traces in otlp_proto",
                "set traces.encoding to what the topic's writers write, or find out who else "
                "writes there",
            )
        )
    if not placed.traces or partitions == 1:
        return found
    spread = placed.traces - max(placed.right.values())
    best = max(_HASHERS, key=lambda hasher: placed.right[hasher])
    few = spread <= placed.traces * _SPLIT_SHARE
    if few and hashers and best not in hashers:
        found.append(
            error(
                "BR-3401",
                subject,
                f"{placed.traces} newest traces are placed by {best}, our exporter would place "
                f"them by {', '.join(hashers)}: traces under way are split",
                f"set record_partitioner: {{sticky_key: {{hasher: {best}}}}} in "
                f"{_writers(cluster, topic)}",
            )
        )
    elif not few and (keeps_traces or hashers):
        found.append(
            error(
                "BR-3401",
                subject,
                f"{spread} of {placed.traces} newest traces are not where {best} places them, "
                f"{placed.split} of them on several partitions: writers do not key by trace id, or "
                "the number of partitions was changed a short while ago",
                "set partition_traces_by_id: true and the same record_partitioner on every writer, "
                "Collectors included",
            )
        )
    elif not found:
        found.append(ok(subject, f"{placed.traces} newest traces are placed by {best}"))
    return found


def judge_clock(
    cluster: Cluster, topic: str, stamps: str, records: Sequence[SampledRecord], now_s: float
) -> list[Finding]:
    """
    Whether the newest record is ahead of this machine's clock, or most are behind their own spans.

    Nothing can be written before it has ended: who stamped it, or who ended it, has a wrong clock.
    """
    newest_s = max((record.timestamp_ms for record in records), default=0) / 1000
    ahead_s = newest_s - now_s
    if ahead_s <= SKEW_S:
        return _judge_behind(topic, stamps, records)
    whose = "the brokers' clock is" if stamps == "LogAppendTime" else "a writer's clock is"
    mend = "set the clocks by NTP: chronyc tracking, or timedatectl, on both machines"
    if stamps != "LogAppendTime":
        mend += "; or " + set_config(cluster, topic, "message.timestamp.type=LogAppendTime")
    return [
        warning(
            "BR-3404",
            f"records of {topic}",
            f"the newest is {ahead_s:.0f} s ahead of this machine's clock: {whose} ahead, or this "
            "machine's is behind",
            mend,
        )
    ]


def _judge_behind(topic: str, stamps: str, records: Sequence[SampledRecord]) -> list[Finding]:
    ends = [(newest_end_s(record), record.timestamp_ms / 1000) for record in records]
    behind_s = sorted(end - stamp for end, stamp in ends if end)
    # One application with a wrong clock is its own affair; most of them are not wrong alike.
    middle_s = behind_s[len(behind_s) // 2] if behind_s else 0.0
    if middle_s <= SKEW_S:
        return []
    whose = "the brokers' clock is" if stamps == "LogAppendTime" else "the clock of writers is"
    return [
        warning(
            "BR-3404",
            f"records of {topic}",
            f"most are stamped {middle_s:.0f} s and more before the spans in them ended: {whose} "
            "behind, or that of the applications is ahead",
            "set the clocks by NTP: chronyc tracking, or timedatectl, on the brokers, the writers "
            "and the applications",
        )
    ]


def _writers(cluster: Cluster, topic: str) -> str:
    return ", ".join(one.component for one in cluster.writings if one.topic == topic)
