"""Statuses of a consumer."""

import aiokafka.errors as kafka

from bridge.core import Denied, State, Status
from bridge.kafka.trouble import Troubles


def test_trouble_is_reported_once_until_it_changes() -> None:
    """The same trouble again is no news; the end of it is, once."""
    reports: list[Status] = []
    troubles = Troubles(reports.append, "processing", "")

    for _ in range(2):
        troubles.raised("kafka", OSError("refused"), what="connect")
    troubles.raised("kafka", OSError("no route"), what="connect")
    troubles.well("kafka")
    troubles.well("kafka")

    assert reports == [
        Status(State.RECOVERABLE, "cannot connect: refused", "", "kafka"),
        Status(State.RECOVERABLE, "cannot connect: no route", "", "kafka"),
        Status(State.OK, subject="kafka"),
    ]


def test_trouble_that_somebody_must_mend_has_a_hint() -> None:
    """A denial is permanent and says what to type."""
    reports: list[Status] = []
    troubles = Troubles(reports.append, "processing", "User:bridge")

    troubles.raised("group", kafka.GroupAuthorizationFailedError("x"), what="join")

    assert reports[0].state is State.PERMANENT
    assert "--allow-principal User:bridge" in reports[0].hint
    assert "--group processing" in reports[0].hint


def test_trouble_with_other_members_names_both_ways_out() -> None:
    """A group that still holds Collectors can be changed, or left alone."""
    error = Troubles(lambda _: None, "processing", "").translate(
        kafka.InconsistentGroupProtocolError(), what="join"
    )

    assert isinstance(error, Denied)
    assert "group_rebalance_strategies: [sticky]" in error.hint
    assert "group_id of its own" in error.hint


def test_troubles_all_well_ends_every_subject() -> None:
    """A source that ends well leaves no trouble behind."""
    reports: list[Status] = []
    troubles = Troubles(reports.append, "processing", "")
    for subject in ("kafka", "topics"):
        troubles.raised(subject, OSError("x"), what="connect")

    troubles.all_well()

    assert [(s.subject, s.state) for s in reports[2:]] == [
        ("kafka", State.OK),
        ("topics", State.OK),
    ]
