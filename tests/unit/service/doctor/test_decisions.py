"""`bridge.service.doctor.decisions`: what the doctor makes of a topic of decisions."""

from typing import Any

import pytest

from bridge.kafka import TopicFacts
from bridge.service.doctor.decisions import source_partitions
from bridge.service.doctor.rights import judge_rights
from bridge.service.doctor.topics import judge_topics
from tests.unit.service.doctor.making import cluster, deciding, facts, reading, topic

MADE = {"cleanup_policy": "compact,delete", "retention_ms": "600000"}


def judged(decisions: TopicFacts, **changes: Any) -> dict[str, tuple[str, str]]:
    """Severity and mend by code, of the topic of decisions alone."""
    known = facts(topic(), decisions)
    found = judge_topics(cluster(reading(), deciding(**changes)), known)
    own = [one for one in found if one.subject == "topic decisions"]
    return {one.code: (one.severity.value, one.mend) for one in own}


def test_topic_as_the_sampler_makes_it_is_ok() -> None:
    """Compacted, which of a topic of telemetry would be an error."""
    assert judged(topic("decisions", **MADE)) == {"BR-3000": ("ok", "")}


@pytest.mark.parametrize(
    ("made", "code", "severity", "mend"),
    [
        ({"cleanup_policy": "delete"}, "BR-3316", "warning", "cleanup.policy=[compact,delete]"),
        ({"cleanup_policy": "compact"}, "BR-3316", "warning", "cleanup.policy=[compact,delete]"),
        ({"retention_ms": "599999"}, "BR-3316", "warning", "retention.ms=600000"),
        ({"partitions": 11}, "BR-3317", "error", "--alter --topic decisions --partitions 12"),
        ({"replicas": 1}, "BR-3302", "error", "min.insync.replicas=1"),
    ],
)
def test_what_does_not_fit_is_found(
    made: dict[str, Any], code: str, severity: str, mend: str
) -> None:
    """With the command that mends it."""
    found = judged(topic("decisions", **{**MADE, **made}))

    assert found[code][0] == severity
    assert mend in found[code][1]


def test_more_partitions_than_the_source_do_no_harm() -> None:
    """Those beyond are not used."""
    assert judged(topic("decisions", partitions=24, **MADE)) == {"BR-3000": ("ok", "")}


@pytest.mark.parametrize(("creates", "severity"), [(True, "info"), (False, "error")])
def test_absent_topic_matters_where_it_may_not_be_made(creates: bool, severity: str) -> None:
    """The command makes it as the sampler would."""
    absent = TopicFacts("decisions", "missing")
    found = judged(absent, creates=creates)

    assert found["BR-3301"][0] == severity
    assert "--partitions 12" in found["BR-3301"][1]
    assert "cleanup.policy=compact,delete" in found["BR-3301"][1]
    assert "retention.ms=600000" in found["BR-3301"][1]


def test_source_elsewhere_is_not_compared() -> None:
    """Another cluster was not asked about it."""
    assert source_partitions(deciding(sources=("elsewhere",)), facts(topic())) == 0


def test_both_rights_are_needed() -> None:
    """Decisions are written, and read when a partition is taken over."""
    known = topic("decisions", **MADE)
    hidden = TopicFacts("decisions", "hidden", known.partitions)
    (found,) = judge_rights(cluster(deciding()), facts(hidden))

    assert "--operation Write --operation Read" in found.mend
