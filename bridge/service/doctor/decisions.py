"""Whether a topic of decisions is there, forgets, and is partitioned like its source. Pure."""

from collections.abc import Sequence

from bridge.kafka import ClusterFacts, TopicFacts
from bridge.options import format_duration
from bridge.service.doctor.commands import create_topic, set_config
from bridge.service.doctor.demands import Cluster, Deciding
from bridge.service.doctor.findings import Finding, error, info, warning

_PARTITIONS = 12
"""Where the source is not known, as many as a new source is recommended to have."""


def absent_decisions(cluster: Cluster, deciding: Deciding, facts: ClusterFacts) -> Finding:
    """What it means that the topic does not exist: the sampler makes it, if it may."""
    subject = f"topic {deciding.topic}"
    partitions = source_partitions(deciding, facts) or _PARTITIONS
    mend = create_topic(cluster, deciding.topic, partitions, min(3, max(1, len(facts.brokers))))
    mend += f" --config cleanup.policy=compact,delete {_retention(deciding, '--config ')}"
    if deciding.creates:
        cause = "it does not exist; the first decision brings it into being as it should be"
        return info("BR-3301", subject, cause, mend)
    cause = f"it does not exist, and {deciding.component} may not make it: nothing is decided"
    return error("BR-3301", subject, cause, mend)


def judge_decisions(
    cluster: Cluster, topic: TopicFacts, decidings: Sequence[Deciding], facts: ClusterFacts
) -> list[Finding]:
    """What is wrong with *topic* for *decidings*; sources in other clusters are not looked at."""
    found: list[Finding] = []
    subject = f"topic {topic.name}"
    for deciding in decidings:
        wanted, there = source_partitions(deciding, facts), len(topic.partitions)
        if there < wanted:
            found.append(
                error(
                    "BR-3317",
                    subject,
                    f"it has {there} partitions and {', '.join(deciding.sources)} has {wanted}: "
                    "what is decided about the others cannot be written, so they hold",
                    f"kafka-topics --bootstrap-server {cluster.broker} --alter --topic "
                    f"{topic.name} --partitions {wanted}",
                )
            )
        if topic.settings is None:
            continue
        policy = topic.settings.get("cleanup.policy", "")
        if {part.strip() for part in policy.split(",")} != {"compact", "delete"}:
            grows = "it grows for ever" if "delete" not in policy else "each trace may stand twice"
            found.append(
                warning(
                    "BR-3316",
                    subject,
                    f"cleanup.policy is {policy}: {grows}, and reading it back takes longer",
                    set_config(cluster, topic.name, "cleanup.policy=[compact,delete]"),
                )
            )
        retention = topic.settings.get("retention.ms", "-1")
        if retention.isdecimal() and int(retention) < deciding.span_s * 1000:
            span = format_duration(deciding.span_s)
            found.append(
                warning(
                    "BR-3316",
                    subject,
                    f"retention.ms is {format_duration(int(retention) / 1000)} and time_span "
                    f"{span}: late spans of older traces are decided anew",
                    set_config(cluster, topic.name, _retention(deciding)),
                )
            )
    return found


def source_partitions(deciding: Deciding, facts: ClusterFacts) -> int:
    """Of the largest topic that its traces come from; 0 if none is in this cluster."""
    known = [facts.topics[name] for name in deciding.sources if name in facts.topics]
    return max((len(topic.partitions) for topic in known), default=0)


def _retention(deciding: Deciding, flag: str = "") -> str:
    return f"{flag}retention.ms={round(deciding.span_s * 1000)}"
