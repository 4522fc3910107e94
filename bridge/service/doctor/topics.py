"""Whether the topics are made for what the configuration does with them. Pure."""

from collections.abc import Mapping

from bridge.kafka import ClusterFacts, TopicFacts
from bridge.options import format_duration
from bridge.service.doctor.commands import create_topic, set_config
from bridge.service.doctor.decisions import absent_decisions, judge_decisions
from bridge.service.doctor.demands import Cluster, Reading, Writing
from bridge.service.doctor.findings import Finding, error, info, ok, warning

PARTITIONS = 12
"""What a new topic is recommended to have: it divides among 2, 3, 4, 6 and 12 members."""

_RETENTION_S_MIN = 3600.0
"""A backend that is away for an hour is nothing unusual: data must outlive that."""

_RETENTION_S_MEND = 86_400.0
"""What is recommended where it is less, unless more is needed: a night and the day after it."""

_HELD_TIMES = 10
"""Retention should be this many times what is held before its offsets are committed."""

_BYTES_MAX_DEFAULT = 1_048_588
"""The broker's default of ``max.message.bytes``: 1 MiB and the 12 bytes of a record batch."""


def judge_topics(cluster: Cluster, facts: ClusterFacts) -> list[Finding]:
    """What is wrong with each topic; an ok finding for those where nothing is."""
    found: list[Finding] = []
    for name, topic in facts.topics.items():
        writings = [one for one in cluster.writings if one.topic == name]
        readings = [
            one
            for one in cluster.readings
            if name in one.signals or any(pattern.match(name) for pattern in one.patterns)
        ]
        if topic.state == "hidden":
            continue  # `judge_rights` said it.
        decidings = [one for one in cluster.decidings if one.topic == name]
        if decidings and topic.state != "there":
            found.append(absent_decisions(cluster, decidings[0], facts))
            continue
        writings += [Writing(one.component, name) for one in decidings]
        if topic.state != "there":
            found.append(_absent(cluster, name, topic, writings, len(facts.brokers)))
            continue
        own = [
            *_judge_replicas(cluster, topic, writings, len(facts.brokers)),
            *_judge_partitions(cluster, topic, writings, readings),
        ]
        own += judge_decisions(cluster, topic, decidings, facts)
        if topic.settings is not None and not decidings:
            own += _judge_settings(cluster, topic, topic.settings, writings, readings)
            own += _judge_letters(cluster, topic, writings, facts)
        if not any(one.severity.rank for one in own):
            own.append(ok(f"topic {name}", _shape(topic)))
        found += own
    for reading in cluster.readings:
        for pattern in reading.patterns:
            if not any(pattern.match(name) for name in facts.topics):
                found.append(
                    warning(
                        "BR-3313",
                        reading.component,
                        "no topic matches its pattern yet: nothing is read",
                        "create the topics, or correct topics and exclude_topics",
                    )
                )
    return found


def _absent(
    cluster: Cluster, name: str, topic: TopicFacts, writings: list[Writing], brokers: int
) -> Finding:
    subject = f"topic {name}"
    mend = create_topic(cluster, name, PARTITIONS, min(3, max(1, brokers)))
    if topic.state != "missing":
        return error("BR-3314", subject, f"the brokers answer {topic.state}", mend)
    if any(one.creates for one in writings):
        return info(
            "BR-3301",
            subject,
            "it does not exist; the first record brings it into being with the brokers' defaults",
            mend,
        )
    return error("BR-3301", subject, "it does not exist", mend)


def _judge_replicas(
    cluster: Cluster, topic: TopicFacts, writings: list[Writing], brokers: int
) -> list[Finding]:
    subject = f"topic {topic.name}"
    found: list[Finding] = []
    leaderless = [one.partition for one in topic.partitions if one.leader < 0]
    if leaderless:
        found.append(
            error(
                "BR-3310",
                subject,
                f"{_numbers(leaderless)} without a leader: nothing can be written or read there",
                f"bring the brokers back that hold it: kafka-topics --bootstrap-server "
                f"{cluster.broker} --describe --topic {topic.name} names them",
            )
        )
    replicas = min(one.replicas for one in topic.partitions)
    wanted_isr = _number(topic.settings, "min.insync.replicas", 1)
    acks = any(one.all_acks for one in writings)
    short = [one.partition for one in topic.partitions if one.in_sync < wanted_isr]
    if acks and wanted_isr > replicas:
        found.append(
            error(
                "BR-3302",
                subject,
                f"min.insync.replicas is {wanted_isr} and there are {replicas} replicas: every "
                "write with acks all is refused",
                set_config(cluster, topic.name, f"min.insync.replicas={max(1, replicas - 1)}"),
            )
        )
    elif acks and short:
        found.append(
            error(
                "BR-3302",
                subject,
                f"{_numbers(short)} with fewer replicas in sync than min.insync.replicas "
                f"{wanted_isr}: writes are refused",
                "bring the missing brokers back, or wait until their replicas caught up",
            )
        )
    lagging = [one.partition for one in topic.partitions if one.in_sync < one.replicas]
    if lagging and not short:
        found.append(
            warning(
                "BR-3311",
                subject,
                f"{_numbers(lagging)} with replicas that are not in sync",
                "bring the missing brokers back, or wait until their replicas caught up",
            )
        )
    if replicas == 1:
        several = brokers > 1
        mend = (
            f"kafka-reassign-partitions --bootstrap-server {cluster.broker} with a plan of three "
            f"replicas for {topic.name}"
            if several
            else "run three brokers; on one, data is as safe as its disk"
        )
        found.append(
            warning("BR-3303", subject, "one replica: its broker's disk is all there is", mend)
        )
    elif acks and wanted_isr < 2:
        found.append(
            warning(
                "BR-3304",
                subject,
                "min.insync.replicas is 1: acks all is answered by the leader alone while others "
                "are behind",
                set_config(cluster, topic.name, "min.insync.replicas=2"),
            )
        )
    return found


def _judge_partitions(
    cluster: Cluster, topic: TopicFacts, writings: list[Writing], readings: list[Reading]
) -> list[Finding]:
    del writings
    if readings and len(topic.partitions) == 1:
        return [
            warning(
                "BR-3309",
                f"topic {topic.name}",
                "one partition: one member of the group does all the work",
                f"kafka-topics --bootstrap-server {cluster.broker} --alter --topic {topic.name} "
                f"--partitions {PARTITIONS}   (while nothing is written: traces under way would "
                "be split)",
            )
        ]
    return []


def _judge_settings(
    cluster: Cluster,
    topic: TopicFacts,
    settings: Mapping[str, str],
    writings: list[Writing],
    readings: list[Reading],
) -> list[Finding]:
    subject = f"topic {topic.name}"
    found: list[Finding] = []
    limit = _number(settings, "max.message.bytes", _BYTES_MAX_DEFAULT)
    largest = max((one.message_bytes_max for one in writings), default=0)
    if largest > limit:
        found.append(
            warning(
                "BR-3305",
                subject,
                f"max.message.bytes is {limit} and producer.max_message_bytes {largest}: spans "
                f"above {limit} bytes are refused although the configuration allows them",
                set_config(cluster, topic.name, f"max.message.bytes={largest}"),
            )
        )
    if "compact" in settings.get("cleanup.policy", "") and (writings or readings):
        keyless = any(one.keyless for one in writings)
        what = (
            "records without a key, as packing writes them, are refused"
            if keyless
            else "records are removed once another has their key: parts of traces are lost"
        )
        found.append(
            error(
                "BR-3308",
                subject,
                f"cleanup.policy is {settings['cleanup.policy']}: {what}",
                set_config(cluster, topic.name, "cleanup.policy=delete"),
            )
        )
    found += _judge_time(cluster, topic.name, settings, readings)
    compression = settings.get("compression.type", "producer")
    if compression not in ("producer", "") and writings:
        found.append(
            info(
                "BR-3312",
                subject,
                f"compression.type is {compression}: brokers compress every batch again",
                set_config(cluster, topic.name, "compression.type=producer"),
            )
        )
    return found


def _judge_time(
    cluster: Cluster, name: str, settings: Mapping[str, str], readings: list[Reading]
) -> list[Finding]:
    subject = f"topic {name}"
    found: list[Finding] = []
    retention_ms = _number(settings, "retention.ms", -1)
    hold_s = max((one.hold_s for one in readings), default=0.0)
    needed_s = max(_RETENTION_S_MIN, hold_s * _HELD_TIMES) if readings else 0.0
    if 0 <= retention_ms < needed_s * 1000:
        retention = format_duration(retention_ms / 1000)
        enough_ms = round(max(_RETENTION_S_MEND, needed_s) * 1000)
        mend = set_config(cluster, name, f"retention.ms={enough_ms}")
        if retention_ms <= hold_s * 1000:
            held = format_duration(hold_s)
            cause = (
                f"retention.ms is {retention} and traces are held for {held}: undecided data is "
                "deleted"
            )
            found.append(error("BR-3307", subject, cause, mend))
        else:
            cause = f"retention.ms is {retention}: an outage longer than that loses data"
            found.append(warning("BR-3307", subject, cause, mend))
    stamps = settings.get("message.timestamp.type", "")
    if stamps == "CreateTime" and any(one.hold_s and one.by_record_time for one in readings):
        found.append(
            warning(
                "BR-3306",
                subject,
                "message.timestamp.type is CreateTime: decision_wait is measured by the clocks of "
                "whoever writes",
                set_config(cluster, name, "message.timestamp.type=LogAppendTime"),
            )
        )
    return found


def _judge_letters(
    cluster: Cluster, topic: TopicFacts, writings: list[Writing], facts: ClusterFacts
) -> list[Finding]:
    """A dead letter is larger than what it is about: its topic must take more."""
    own = _number(topic.settings, "max.message.bytes", _BYTES_MAX_DEFAULT)
    for writing in writings:
        for name in writing.letters_of:
            source = facts.topics.get(name)
            if source is None or source.settings is None or name == topic.name:
                continue
            limit = _number(source.settings, "max.message.bytes", _BYTES_MAX_DEFAULT)
            if own <= limit:
                return [
                    warning(
                        "BR-3315",
                        f"topic {topic.name}",
                        f"max.message.bytes is {own}: dead letters of the largest records of "
                        f"{name} ({limit}) and their headers do not fit",
                        set_config(cluster, topic.name, f"max.message.bytes={limit + 65536}"),
                    )
                ]
    return []


def _number(settings: Mapping[str, str] | None, name: str, default: int) -> int:
    text = (settings or {}).get(name, "")
    return int(text) if text.lstrip("-").isdecimal() else default


def _shape(topic: TopicFacts) -> str:
    replicas = min(one.replicas for one in topic.partitions)
    return f"{_counted(len(topic.partitions), 'partition')}, {_counted(replicas, 'replica')}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _numbers(partitions: list[int]) -> str:
    shown = ", ".join(map(str, partitions[:8])) + (", ..." if len(partitions) > 8 else "")
    return f"partition{'' if len(partitions) == 1 else 's'} {shown}"
