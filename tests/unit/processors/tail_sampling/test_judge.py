"""All policies together."""

from itertools import count

from bridge.core import Counter
from bridge.processors._gathering import Decision
from bridge.processors.tail_sampling.judge import Juror, PolicyJudge
from bridge.processors.tail_sampling.telemetry import Tally
from tests.unit.processors.tail_sampling.conftest import TRACE_ID, parts, span
from tests.unit.processors.tail_sampling.policies.test_compound import Says

YES, NO, DROPPED = Decision.SAMPLED, Decision.NOT_SAMPLED, Decision.DROPPED


def judge(*answers: Decision | None, first_match: bool = False) -> tuple[PolicyJudge, list[Says]]:
    """A judge over policies with fixed answers, and the policies."""
    policies = [Says(answer) for answer in answers]
    jurors = [
        Juror(
            f"p{index}",
            policy,
            Tally(*(Counter() for _ in range(6))),
            drops=policy.answer is DROPPED,
        )
        for index, policy in enumerate(policies)
    ]
    ticks = count()
    return PolicyJudge(jurors, first_match=first_match, now=lambda: next(ticks) / 1000), policies


def decide(made: PolicyJudge) -> Decision:
    return made.decide(TRACE_ID, *parts([span()]))


def test_judge_samples_if_any_policy_does() -> None:
    """All are asked."""
    made, policies = judge(NO, YES, YES)

    assert YES is decide(made)
    assert [policy.asked for policy in policies] == [1, 1, 1]


def test_judge_does_not_sample_without_a_reason() -> None:
    """Also without any policy."""
    assert NO is decide(judge(NO, NO)[0])
    assert NO is decide(judge()[0])


def test_judge_drop_beats_everything_and_is_asked_first() -> None:
    """Whatever its place in the list."""
    made, policies = judge(YES, DROPPED, first_match=True)

    assert DROPPED is decide(made)
    assert [policy.asked for policy in policies] == [0, 1]


def test_judge_stops_at_the_first_match_if_told() -> None:
    """Later policies are not asked."""
    made, policies = judge(NO, YES, YES, first_match=True)

    assert YES is decide(made)
    assert [policy.asked for policy in policies] == [1, 1, 0]


def test_judge_passes_over_a_policy_that_fails() -> None:
    """Others still decide, and the error is counted."""
    made, _ = judge(None, YES)

    assert YES is decide(made)
    assert made.jurors[0].tally.errors.value == 1


def test_judge_counts_answers_by_policy_and_times_some() -> None:
    """One trace in 32 is timed and stands for them all."""
    made, _ = judge(NO, YES, DROPPED)
    only, _ = judge(NO, YES)
    for _ in range(64):
        decide(made)
        decide(only)
    first, second = (juror.tally for juror in only.jurors)

    assert (first.not_sampled.value, first.sampled.value) == (64, 0)
    assert (second.not_sampled.value, second.sampled.value) == (0, 64)
    assert made.jurors[0].tally.dropped.value == 64
    assert first.executions.value == 64
    assert first.time_us.value == 64 * 1_000


def test_judge_gives_each_opinion_by_itself() -> None:
    """For explaining a decision: who said what, and why not."""
    made, _ = judge(NO, None, DROPPED)

    assert made.opinions(TRACE_ID, *parts([span()])) == [
        ("p2", "dropped"),
        ("p0", "not_sampled"),
        ("p1", "error: no answer"),
    ]
