"""Whether we may do what the configuration wants. Pure."""

from bridge.kafka import ClusterFacts, TopicFacts
from bridge.service.doctor.commands import allow
from bridge.service.doctor.demands import Cluster
from bridge.service.doctor.findings import Finding, error, info, ok, warning


def judge_rights(cluster: Cluster, facts: ClusterFacts) -> list[Finding]:
    """A finding for each right that is missing, and one for each resource where none is."""
    found: list[Finding] = []
    for name, topic in facts.topics.items():
        found += _topic(cluster, name, topic)
    for reading in cluster.readings:
        group = facts.groups.get(reading.group)
        if group is None:
            continue
        subject = f"group {reading.group}"
        told = group.operations
        if group.hidden or (told is not None and "Read" not in told):
            found.append(
                error(
                    "BR-3203",
                    subject,
                    f"{cluster.principal} may not join it: the right to read the group is missing",
                    allow(cluster, ["Read", "Describe"], f"--group {reading.group}"),
                    permission=True,
                )
            )
        elif told is not None:
            found.append(ok(subject, "we may join it and commit"))
    if facts.idempotence_refused:
        found.append(
            error(
                "BR-3204",
                "cluster",
                f"{cluster.principal} may not write with an idempotent producer, which acks all "
                "needs",
                allow(cluster, ["IdempotentWrite"], "--cluster"),
                permission=True,
            )
        )
    if any(topic.state == "there" and topic.operations is None for topic in facts.topics.values()):
        found.append(
            info(
                "BR-3206",
                "cluster",
                "the brokers are too old to tell what we may do: not looked at",
            )
        )
    return found


def _topic(cluster: Cluster, name: str, topic: TopicFacts) -> list[Finding]:
    decides = any(one.topic == name for one in cluster.decidings)
    writes = decides or any(one.topic == name for one in cluster.writings)
    reads = decides or any(
        name in one.signals or any(pattern.match(name) for pattern in one.patterns)
        for one in cluster.readings
    )
    subject = f"topic {name}"
    needed = ["Write"] * writes + ["Read"] * reads
    if topic.state == "hidden":
        # Who may write or read may also describe: nothing of it is allowed, or it does not exist.
        cause = (
            f"{cluster.principal} may not see it: the right to {_words(needed)} is missing, or "
            "it does not exist"
        )
        mend = allow(cluster, [*needed, "Describe"], f"--topic {name}")
        return [error(_code(needed[0]), subject, cause, mend, permission=True)]
    if topic.state != "there" or topic.operations is None:
        return []
    found = [
        error(
            _code(operation),
            subject,
            f"{cluster.principal} may not {operation.lower()} it",
            allow(cluster, [operation, "Describe"], f"--topic {name}"),
            permission=True,
        )
        for operation in needed
        if operation not in topic.operations
    ]
    if "DescribeConfigs" not in topic.operations:
        found.append(
            warning(
                "BR-3205",
                subject,
                f"{cluster.principal} may not read its settings: its limit of record batches is "
                "not respected beforehand, and the checks below leave it out",
                allow(cluster, ["DescribeConfigs"], f"--topic {name}"),
            )
        )
    return found or [ok(subject, f"we may {_words(needed)} it")]


def _code(operation: str) -> str:
    return "BR-3201" if operation == "Write" else "BR-3202"


def _words(operations: list[str]) -> str:
    return " and ".join(name.lower() for name in operations)
