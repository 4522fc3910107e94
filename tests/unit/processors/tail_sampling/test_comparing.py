"""Two judgements of the same traces, added up."""

import pytest

from bridge.processors.tail_sampling import comparing
from bridge.processors.tail_sampling.comparing import OTHERS, Comparison, Ruling


def ruling(*, kept: bool, by: str = "", service: str = "shop", spans: int = 2) -> Ruling:
    return Ruling(kept, by, service, spans, spans * 100)


def test_rulings_of_both_sides_about_a_trace_make_one_outcome() -> None:
    """Whichever comes first; the candidate's sizes count."""
    comparison = Comparison(both=True)
    comparison.rule(b"1", ruling(kept=True, by="errors"), of_candidate=False)
    comparison.rule(b"1", ruling(kept=False, spans=3), of_candidate=True)
    comparison.rule(b"2", ruling(kept=True, by="slow"), of_candidate=True)
    comparison.rule(b"2", ruling(kept=False), of_candidate=False)
    comparison.end()

    assert {(True, False), (False, True)} == set(comparison.outcomes)
    assert comparison.outcomes[True, False].spans == 3
    assert comparison.services["shop"].keys() == comparison.outcomes.keys()
    assert comparison.uncompared == 0
    assert comparison.current is not None
    assert {("errors", True)} == set(comparison.current.policies)
    assert {("slow", True)} == set(comparison.candidate.policies)


def test_candidate_alone_is_compared_with_nothing() -> None:
    """Outcomes say so."""
    comparison = Comparison(both=False)
    comparison.rule(b"1", ruling(kept=True, by="errors"), of_candidate=True)
    comparison.end()

    assert {(None, True)} == set(comparison.outcomes)
    assert (
        comparison.candidate.kept.traces,
        comparison.candidate.kept.spans,
        comparison.candidate.kept.size_bytes,
    ) == (1, 2, 200)


def test_trace_decided_twice_by_each_side_is_compared_in_order() -> None:
    """As when its spans stand in two partitions."""
    comparison = Comparison(both=True)
    for kept in (True, False):
        comparison.rule(b"1", ruling(kept=kept), of_candidate=True)
    for kept in (False, True):
        comparison.rule(b"1", ruling(kept=kept), of_candidate=False)
    comparison.end()

    assert {(False, True), (True, False)} == set(comparison.outcomes)
    assert comparison.uncompared == 0


def test_trace_decided_by_one_side_only_is_told() -> None:
    """It stands in no outcome."""
    comparison = Comparison(both=True)
    comparison.rule(b"1", ruling(kept=True), of_candidate=True)
    comparison.rule(b"1", ruling(kept=False), of_candidate=True)
    comparison.end()

    assert comparison.uncompared == 2
    assert comparison.outcomes == {}


def test_pending_and_services_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest pending goes uncompared; services beyond are added up."""
    monkeypatch.setattr(comparing, "PENDING_MAX", 2)
    monkeypatch.setattr(comparing, "SERVICES_MAX", 1)
    comparison = Comparison(both=True)
    for number in range(3):
        service = "shop" if number == 2 else "other"
        one = ruling(kept=True, service=service)
        comparison.rule(bytes([number]), one, of_candidate=True)
    assert comparison.uncompared == 1, "the oldest"

    for number in (2, 1):
        one = ruling(kept=True, service=f"s{number}")
        comparison.rule(bytes([number]), one, of_candidate=False)
    comparison.end()

    assert comparison.uncompared == 1
    assert {
        name: amount.traces
        for name, outcomes in comparison.services.items()
        for amount in outcomes.values()
    } == {"shop": 1, OTHERS: 1}
