"""What the doctor makes of topics' settings."""

from dataclasses import replace
from typing import Any

import pytest

from bridge.kafka import PartitionFacts, TopicFacts
from bridge.service.doctor.demands import Reading, Writing
from bridge.service.doctor.topics import judge_topics
from tests.unit.service.doctor.making import cluster, facts, reading, topic, writing


def found(one: TopicFacts, *parts: Reading | Writing) -> dict[str, str]:
    """Codes with their severities."""
    judged = judge_topics(cluster(*parts), facts(one))
    return {finding.code: finding.severity.value for finding in judged}


def test_topic_well_made_is_ok() -> None:
    """Three replicas, two in sync wanted, a day of retention."""
    assert found(topic(), writing(), reading(hold_s=15.0, by_record_time=True)) == {"BR-3000": "ok"}


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"replicas": 1, "min_insync_replicas": "1"}, "BR-3303", "warning"),
        ({"min_insync_replicas": "1"}, "BR-3304", "warning"),
        ({"max_message_bytes": "999999"}, "BR-3305", "warning"),
        ({"message_timestamp_type": "CreateTime"}, "BR-3306", "warning"),
        ({"retention_ms": "15000"}, "BR-3307", "error"),
        ({"retention_ms": "15001"}, "BR-3307", "warning"),
        ({"cleanup_policy": "compact,delete"}, "BR-3308", "error"),
        ({"partitions": 1}, "BR-3309", "warning"),
        ({"compression_type": "gzip"}, "BR-3312", "info"),
    ],
)
def test_setting_that_does_not_fit_is_found(
    changes: dict[str, Any], code: str, severity: str
) -> None:
    """And nothing else with it."""
    parts = (writing(), reading(hold_s=15.0, by_record_time=True))

    assert found(topic(**changes), *parts) == {code: severity}


@pytest.mark.parametrize("hold_s", [15.0, 720_005.0])
def test_mend_of_retention_is_enough(hold_s: float) -> None:
    """Also when traces are held for days: the command never lowers what there is below the need."""
    (finding,) = [
        one
        for one in judge_topics(cluster(reading(hold_s=hold_s)), facts(topic(retention_ms="15000")))
        if one.code == "BR-3307"
    ]
    mended = finding.mend.rpartition("retention.ms=")[2]

    assert found(topic(retention_ms=mended), reading(hold_s=hold_s)) == {"BR-3000": "ok"}


def test_retention_without_limit_is_enough() -> None:
    """-1 is the broker's word for keeping everything."""
    assert found(topic(retention_ms="-1"), reading(hold_s=1e6)) == {"BR-3000": "ok"}


def test_fewer_replicas_than_must_be_in_sync_refuse_every_write() -> None:
    """Two are wanted and one is there, which is few besides."""
    assert found(topic(replicas=1), writing()) == {"BR-3302": "error", "BR-3303": "warning"}


def test_acks_of_the_leader_do_not_need_replicas_in_sync() -> None:
    """min.insync.replicas binds writers with acks all only."""
    assert "BR-3302" not in found(topic(replicas=1), writing(all_acks=False))


def test_partition_without_leader_and_replicas_behind_are_told() -> None:
    """By number."""
    sick = replace(topic(), partitions=(PartitionFacts(0, -1, 3, 1), PartitionFacts(1, 2, 3, 2)))

    assert found(sick, writing()) == {"BR-3310": "error", "BR-3302": "error"}
    assert found(replace(sick, partitions=sick.partitions[1:]), writing()) == {"BR-3311": "warning"}


def test_missing_topic_is_an_error_unless_we_create_it() -> None:
    """The mend names as many replicas as there are brokers, up to three."""
    missing = TopicFacts("otlp_spans", "missing")
    (error,) = judge_topics(cluster(writing()), facts(missing))

    assert (error.code, error.severity.value) == ("BR-3301", "error")
    assert "--partitions 12 --replication-factor 3 --config min.insync.replicas=2" in error.mend
    assert found(missing, writing(creates=True)) == {"BR-3301": "info"}


def test_settings_that_may_not_be_read_are_left_out() -> None:
    """No guess is made of them."""
    assert found(replace(topic(), settings=None), reading()) == {"BR-3000": "ok"}


def test_letters_must_be_larger_than_what_they_are_about() -> None:
    """The headers with the reason come on top."""
    letters = writing(topic="dead", letters_of=("otlp_spans",), message_bytes_max=0)
    judged = judge_topics(cluster(reading(), letters), facts(topic(), topic("dead")))

    assert [one.code for one in judged if one.severity.rank] == ["BR-3315"]
