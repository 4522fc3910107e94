"""Policies that keep a rate, on a clock driven by hand."""

from collections.abc import Callable

from bridge.processors._gathering import Decision
from bridge.processors.tail_sampling.policies import Times, compile_policy
from bridge.processors.tail_sampling.policies.rates import TokenBucket
from bridge.processors.tail_sampling.policy import Policy
from bridge.processors.tail_sampling.policy_options import PolicyOptions
from tests.unit.processors.tail_sampling.conftest import HandTime, span, view_of


def ask(policy: Policy, spans: int = 1, **attributes: object) -> bool:
    """Whether a trace of so many spans is sampled."""
    view = view_of(policy, [span(attributes=attributes)] * spans)
    return policy.evaluate(view) is Decision.SAMPLED


def test_bucket_is_full_at_first_and_fills_at_its_rate(now: HandTime) -> None:
    """Twice the rate is its capacity, by default."""
    bucket = TokenBucket(10, 0, now)
    assert bucket.take(20)
    assert not bucket.take(1)
    now.now_s += 0.5

    assert not bucket.take(6)
    assert bucket.take(5)


def test_bucket_does_not_overflow(now: HandTime) -> None:
    """Long quiet saves no more than the capacity."""
    bucket = TokenBucket(10, 15, now)
    now.now_s += 3600

    assert not bucket.take(16)
    assert bucket.take(15)


def test_rate_limiting_is_a_token_bucket_of_spans(
    policy: Callable[..., Policy], now: HandTime
) -> None:
    """A trace larger than the burst never passes, and takes nothing."""
    limited = policy("rate_limiting", spans_per_second=3)

    assert [ask(limited, spans) for spans in (10, 3, 2, 2)] == [False, True, True, False]
    now.now_s += 1.0
    assert ask(limited, 3)


def test_bytes_limiting_is_a_token_bucket_of_bytes(
    policy: Callable[..., Policy], now: HandTime
) -> None:
    """The third trace does not fit into the default burst; one a half second later does."""
    one = policy("always_sample")
    size = len(view_of(one, [span(attributes={"k": "v"})]).request)
    limited = policy("bytes_limiting", bytes_per_second=size)

    assert [ask(limited, k="v") for _ in range(3)] == [True, True, False]
    now.now_s += 1.0
    assert ask(limited, k="v")


def composite(now: HandTime, total: int, *shares: tuple[dict[str, object], int | None]) -> Policy:
    """A composite of sub-policies with their percentages; `None` leaves the allocation out."""
    subs = [{"name": f"s{index}", **config} for index, (config, _) in enumerate(shares)]
    rates = [
        {"policy": f"s{index}", "percent": percent}
        for index, (_, percent) in enumerate(shares)
        if percent is not None
    ]
    section = {
        "max_total_spans_per_second": total,
        "composite_sub_policy": subs,
        "rate_allocation": rates,
    }
    options = PolicyOptions.model_validate({"name": "c", "type": "composite", "composite": section})
    return compile_policy(options, Times(now, now))


ALWAYS: dict[str, object] = {"type": "always_sample"}


def tagged(low: int, high: int = 0) -> dict[str, object]:
    return {
        "type": "numeric_attribute",
        "numeric_attribute": {"key": "tag", "min_value": low, "max_value": high},
    }


def test_composite_without_a_match_does_not_sample(now: HandTime) -> None:
    """No sub-policy samples."""
    assert not ask(composite(now, 1000, (tagged(100), 50), (tagged(100), 50)))


def test_composite_asks_the_next_when_the_first_does_not_sample(now: HandTime) -> None:
    """The first that samples decides."""
    assert ask(composite(now, 1000, (tagged(100), 50), (ALWAYS, 50)))


def test_composite_counts_spans_by_the_second(now: HandTime) -> None:
    """Ten pass, ten do not, and in the next second ten pass again."""
    policy = composite(now, 10, (ALWAYS, 100))

    assert [ask(policy) for _ in range(20)] == [True] * 10 + [False] * 10
    now.now_s += 1.0
    assert [ask(policy) for _ in range(10)] == [True] * 10


def test_composite_sub_policy_has_its_own_rate(now: HandTime) -> None:
    """What one does not use is not the other's."""
    policy = composite(now, 10, (tagged(100), 50), (ALWAYS, 50))

    assert [ask(policy) for _ in range(10)] == [True] * 5 + [False] * 5
    now.now_s += 1.0
    assert [ask(policy) for _ in range(25)] == [True] * 5 + [False] * 20


def test_composite_first_match_without_rate_ends_the_question(now: HandTime) -> None:
    """No later sub-policy takes over."""
    policy = composite(now, 3, (tagged(1, 20), 34), (tagged(1000), 34), (ALWAYS, None))

    assert ask(policy, tag=10)
    assert not ask(policy, tag=11)
    assert ask(policy, tag=1001)


def test_composite_percent_of_zero_is_an_equal_share(now: HandTime) -> None:
    """Two sub-policies, a total of ten: five each."""
    policy = composite(now, 10, (ALWAYS, 0), (ALWAYS, 0))

    assert [ask(policy) for _ in range(6)] == [True] * 5 + [False]


def test_composite_without_allocation_samples_nothing(now: HandTime) -> None:
    """A sub-policy that is missing from the list has no rate."""
    assert not ask(composite(now, 1000, (ALWAYS, None)))
