"""What the doctor makes of groups and their lag."""

from typing import Any

import pytest

from bridge.kafka import NO_COORDINATOR, GroupFacts, PartitionLag
from bridge.service.doctor.groups import judge_group, judge_new_group
from tests.unit.service.doctor.making import cluster, facts, reading, topic

MEMBER = ("otelcol", "10.0.0.7")


def lag(**changes: Any) -> PartitionLag:
    """A partition with ten records to go."""
    fields = {"begin": 0, "end": 20, "committed": 10, "records": 10, "beyond": 0, "seconds": 1.0}
    return PartitionLag("otlp_spans", 0, **{**fields, **changes})


def found(group: GroupFacts, *lags: PartitionLag, hold_s: float = 0.0) -> dict[str, str]:
    """Codes with their severities."""
    one = reading(hold_s=hold_s)
    answer = facts(topic(), groups={group.name: group})
    judged = judge_group(cluster(one), one, answer, lags)
    return {finding.code: finding.severity.value for finding in judged}


@pytest.mark.parametrize(
    ("group", "lags", "expected"),
    [
        (GroupFacts("processing"), [lag()], {"BR-3000": "ok"}),
        (GroupFacts("processing", hidden=True), [lag()], {}),
        (GroupFacts("processing", state=NO_COORDINATOR), [], {"BR-3508": "error"}),
        (
            GroupFacts("processing", False, "Stable", "sticky", (MEMBER,)),
            [lag()],
            {"BR-3000": "ok"},
        ),
        (
            GroupFacts("processing", False, "Stable", "cooperative-sticky", (MEMBER,)),
            [lag()],
            {"BR-3501": "error"},
        ),
        (
            GroupFacts("processing", False, "Stable", "homegrown", (MEMBER,)),
            [lag()],
            {"BR-3501": "error"},
        ),
        (
            GroupFacts("processing", False, "Stable", "range", (MEMBER,)),
            [lag()],
            {"BR-3501": "error"},
        ),
        (
            GroupFacts("processing", False, "Stable", "sticky", (MEMBER, MEMBER)),
            [lag()],
            {"BR-3505": "warning"},
        ),
        (GroupFacts("processing"), [lag(seconds=301.0)], {"BR-3502": "warning"}),
        (GroupFacts("processing"), [lag(seconds=43201.0)], {"BR-3502": "error"}),
        (GroupFacts("processing"), [lag(begin=11)], {"BR-3503": "error"}),
        (GroupFacts("processing"), [lag(end=9)], {"BR-3506": "error"}),
    ],
)
def test_group_is_judged_by_members_and_lag(
    group: GroupFacts, lags: list[PartitionLag], expected: dict[str, str]
) -> None:
    """One cause, one finding."""
    assert found(group, *lags) == expected


def test_traces_that_are_held_are_no_lag() -> None:
    """decision_wait of ten minutes keeps records unfinished for as long."""
    assert found(GroupFacts("processing"), lag(seconds=601.0), hold_s=600.0) == {"BR-3000": "ok"}


def test_group_that_committed_nothing_is_new() -> None:
    """Where it begins is worth knowing, not a fault."""
    new = judge_new_group(reading(), GroupFacts("processing"), [lag(committed=None)])

    assert [one.code for one in new] == ["BR-3504"]
    assert judge_new_group(reading(), GroupFacts("processing"), [lag()]) == []


def test_members_of_the_newer_protocol_are_no_hindrance() -> None:
    """The brokers let both share the partitions; how they assign is not held against them."""
    group = GroupFacts("processing", False, "Stable", "uniform", (MEMBER,), brokers_assign=True)

    assert found(group, lag()) == {"BR-3509": "info", "BR-3000": "ok"}
