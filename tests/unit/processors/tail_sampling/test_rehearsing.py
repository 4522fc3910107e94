"""Policies tried on records that the log still has."""

from typing import Any

from bridge.processors.tail_sampling import Rehearsal, Retained, TailSamplingOptions
from bridge.processors.tail_sampling.rehearsing import TOO_LARGE
from bridge.testing import make_settings, trace_request

ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
ALL = {"name": "all", "type": "always_sample"}
NOW_MS = 1_900_000_000_000


def options(*policies: dict[str, Any], **more: Any) -> TailSamplingOptions:
    return TailSamplingOptions.model_validate(
        {"decision_wait": "2s", "policies": list(policies), **more}
    )


def rehearse(
    candidate: TailSamplingOptions, current: TailSamplingOptions | None = None
) -> Rehearsal:
    return Rehearsal(candidate, current, (make_settings(), make_settings()), NOW_MS)


def record(number: int, *, failed: bool = False, at_ms: int = NOW_MS - 60_000) -> Retained:
    made = trace_request(1, 4, seed=number, failed_share=failed)
    return Retained(number, at_ms + number * 10, made.body, 4)


def test_what_would_change_is_told_by_policy_and_service() -> None:
    """Traces with errors stay, the others go; who settles it is named on both sides."""
    rehearsal = rehearse(options(ERRORS), options(ALL, ERRORS))
    rehearsal.take("t", 0, [record(n, failed=n % 4 == 0) for n in range(20)])
    rehearsal.end()
    comparison = rehearsal.comparison

    assert {outcome: amount.traces for outcome, amount in comparison.outcomes.items()} == {
        (True, True): 5,
        (True, False): 15,
    }
    assert {key: amount.spans for key, amount in comparison.candidate.policies.items()} == {
        ("errors", True): 20
    }
    assert comparison.current is not None
    assert {key: amount.traces for key, amount in comparison.current.policies.items()} == {
        ("all", True): 20
    }
    assert (
        sum(amount.traces for one in comparison.services.values() for amount in one.values()) == 20
    )
    assert "" not in comparison.services
    assert comparison.uncompared == 0


def test_traces_are_decided_in_the_time_of_records() -> None:
    """Not before all partitions were read as far as their wait ends; what is open is told."""
    rehearsal = rehearse(options(ALL))
    rehearsal.take("t", 0, [record(1)])
    rehearsal.advance(NOW_MS - 58_500)
    assert rehearsal.comparison.candidate.kept.traces == 0

    rehearsal.advance(NOW_MS - 57_000)
    assert rehearsal.comparison.candidate.kept.traces == 1

    rehearsal.take("t", 1, [record(2, at_ms=NOW_MS - 57_000)])
    rehearsal.end()
    [found, current] = rehearsal.exceptions()
    assert current is None
    assert found.open_at_end == 1
    assert rehearsal.comparison.candidate.kept.traces == 2


def test_limits_per_second_count_the_seconds_of_records() -> None:
    """An hour that is read in a moment has 3,600 seconds of allowance, as it had when written."""
    limit = {"name": "few", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 4}}
    rehearsal = rehearse(options(limit, decision_wait="1s"))
    for number in range(10):
        at_ms = NOW_MS - 600_000 + number * 5_000
        rehearsal.take("t", 0, [Retained(number, at_ms, record(number).body, 4)])
        rehearsal.advance(at_ms)
    rehearsal.end()

    assert rehearsal.comparison.candidate.kept.traces == 10


def test_too_large_trace_is_settled_by_the_limit() -> None:
    """No policy is asked about it, so none is named."""
    rehearsal = rehearse(options(ALL, maximum_trace_size_bytes=100))
    rehearsal.take("t", 0, [record(1)])
    rehearsal.end()

    assert {(TOO_LARGE, False)} == set(rehearsal.comparison.candidate.policies)


def test_late_spans_are_counted_apart() -> None:
    """They follow the decision that is remembered, as in operation."""
    rehearsal = rehearse(options(ALL))
    first = record(1)
    rehearsal.take("t", 0, [first])
    rehearsal.advance(NOW_MS - 50_000)
    rehearsal.take("t", 0, [Retained(2, NOW_MS - 49_000, first.body, 4)])
    rehearsal.end()

    assert rehearsal.exceptions()[0].late_kept == 4
    assert rehearsal.comparison.candidate.kept.traces == 1


def test_record_that_is_no_otlp_is_counted_and_its_neighbours_are_judged() -> None:
    """Empty bodies are what the reader gives for what it cannot decode."""
    rehearsal = rehearse(options(ALL))
    broken = Retained(2, NOW_MS - 59_000, b"\x0a\xff", 1)
    rehearsal.take("t", 0, [record(1), broken, Retained(3, NOW_MS - 59_000, b"", 0), record(4)])
    rehearsal.end()

    assert rehearsal.unreadable == 2
    assert rehearsal.records == 4
    assert rehearsal.comparison.candidate.kept.traces == 2


def test_memory_is_bounded_by_early_decisions() -> None:
    """As in operation: the oldest are decided on what is there, and that is told."""
    rehearsal = rehearse(options(ALL, num_traces=3))
    rehearsal.take("t", 0, [record(n) for n in range(10)])

    assert rehearsal.exceptions()[0].early["num_traces"] == 7
