"""What the doctor makes of the operations that a broker allows."""

from dataclasses import replace

from bridge.kafka import GroupFacts, TopicFacts
from bridge.service.doctor.commands import allow, create_topic
from bridge.service.doctor.rights import judge_rights
from tests.unit.service.doctor.making import cluster, facts, reading, topic, writing

MAY = GroupFacts("processing", operations=frozenset(("Read", "Describe")))


def test_right_that_is_missing_names_operation_and_resource() -> None:
    """One finding for each."""
    one = replace(topic(), operations=frozenset(("Write", "Describe")))
    answer = facts(one, groups={"processing": replace(MAY, operations=frozenset())})
    judged = judge_rights(cluster(reading(), writing()), answer)

    assert [(each.code, each.permission) for each in judged if each.severity.rank == 3] == [
        ("BR-3202", True),
        ("BR-3203", True),
    ]
    assert "--operation Read --operation Describe --topic otlp_spans" in judged[0].mend
    assert judged[1].code == "BR-3205"


def test_nothing_missing_is_ok() -> None:
    """For topic and group."""
    judged = judge_rights(cluster(reading(), writing()), facts(topic(), groups={"processing": MAY}))

    assert {one.code for one in judged} == {"BR-3000"}
    assert len(judged) == 2


def test_old_brokers_are_told_once() -> None:
    """What they do not say is not guessed."""
    one = replace(topic(), operations=None)
    judged = judge_rights(cluster(writing()), facts(one))

    assert [each.code for each in judged] == ["BR-3206"]


def test_hidden_topic_and_refused_idempotence_are_about_rights() -> None:
    """The broker does not say whether the topic exists."""
    answer = replace(facts(TopicFacts("otlp_spans", "hidden")), idempotence_refused=True)
    judged = judge_rights(cluster(writing()), answer)

    assert [one.code for one in judged] == ["BR-3201", "BR-3204"]
    assert all(one.permission for one in judged)


def test_commands_name_broker_and_placeholder() -> None:
    """Without a user in the configuration only the brokers know who we are."""
    assert allow(cluster(), ["Read"], "--group g") == (
        "kafka-acls --bootstrap-server kafka-1:9092 --add --allow-principal User:NAME "
        "--operation Read --group g"
    )
    assert create_topic(cluster(), "t", 12, 1).endswith("--partitions 12 --replication-factor 1")
