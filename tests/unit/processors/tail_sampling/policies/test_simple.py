"""Times, status, number, flags and hashes: the Collector's tables."""

from collections.abc import Callable
from random import Random

import pytest

from bridge.processors._gathering import Decision
from bridge.processors.tail_sampling.policies.simple import fnv1a_64, threshold
from bridge.processors.tail_sampling.policy import Policy
from tests.unit.processors.tail_sampling.conftest import span, view_of

MS = 1_000_000
START = 1_700_000_000_000 * MS
Samples = Callable[..., bool]


def lasting(*lengths: tuple[int, int]) -> list[object]:
    """Spans of (offset ms, length ms)."""
    return [
        span(start_time_unix_nano=START + at * MS, end_time_unix_nano=START + (at + length) * MS)
        for at, length in lengths
    ]


def test_always_sample_samples(samples: Samples) -> None:
    """Without a section of its own."""
    assert samples("always_sample", [span()])


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([(0, 4_500)], False),
        ([(0, 5_000)], True),
        ([(0, 3_000), (2_500, 3_000)], True),
    ],
)
def test_latency_without_upper_bound(
    samples: Samples, lengths: list[tuple[int, int]], expected: bool
) -> None:
    """From the earliest start to the latest end, the threshold included."""
    assert expected is samples("latency", lasting(*lengths), threshold_ms=5_000)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([(0, 4_500)], False),
        ([(0, 5_000)], False),
        ([(0, 5_001)], True),
        ([(0, 10_000)], True),
        ([(0, 10_001)], False),
        ([(0, 3_000), (2_500, 3_000)], True),
        ([(0, 6_000), (0, 20_000)], True),
        ([(0, 20_000), (0, 6_000)], False),
    ],
)
def test_latency_with_upper_bound(
    samples: Samples, lengths: list[tuple[int, int]], expected: bool
) -> None:
    """The lower bound is then exclusive, and the beginning of a trace may match."""
    assert expected is samples(
        "latency", lasting(*lengths), threshold_ms=5_000, upper_threshold_ms=10_000
    )


def test_latency_of_times_in_both_orders_of_arrival(samples: Samples) -> None:
    """Zero counts as unset until another time comes, as in the Collector."""
    unset = span(end_time_unix_nano=START)
    short = lasting((0, 1))[0]

    assert samples("latency", [unset, short], threshold_ms=5_000)
    assert samples("latency", [short, unset], threshold_ms=5_000)
    assert not samples("latency", [span()], threshold_ms=1)


@pytest.mark.parametrize(
    ("start", "end", "threshold_ms", "expected"),
    [
        (START, START - 10 * MS, 0, False),
        (START, START - MS // 2, 0, True),
        (START, START - 10 * MS, -10, True),
        (1 << 63, START, 0, True),
        (START, (1 << 64) - 1, 0, False),
    ],
)
def test_latency_of_times_that_make_no_sense(
    samples: Samples, start: int, end: int, threshold_ms: int, expected: bool
) -> None:
    """End before start, and times of another century: milliseconds toward zero, signed."""
    spans = [span(start_time_unix_nano=start, end_time_unix_nano=end)]

    assert expected is samples("latency", spans, threshold_ms=threshold_ms)


@pytest.mark.parametrize(
    ("wanted", "codes", "expected"),
    [
        (["ERROR"], [1, 0, 1], False),
        (["OK", "ERROR"], [0, 0], False),
        (["UNSET"], [0], True),
        (["OK", "UNSET"], [2, 1], True),
        (["UNSET"], [2, 1], False),
        (["ERROR"], [0, 2], True),
    ],
)
def test_status_code_of_any_span(
    samples: Samples, wanted: list[str], codes: list[int], expected: bool
) -> None:
    """A status that is not there is unset."""
    spans = [span(status={"code": code} if code else None) for code in codes]

    assert expected is samples("status_code", spans, status_codes=wanted)


def test_status_code_unset_that_is_written_out(samples: Samples) -> None:
    """The Collector writes an empty status where others write none."""
    spans = [span(status={"message": "m"}), span(status={"code": 2})]

    assert samples("status_code", spans, status_codes=["UNSET"])


@pytest.mark.parametrize(
    ("low", "high", "batches", "expected"),
    [
        (3, 0, [1], False),
        (3, 0, [3], True),
        (3, 0, [4], True),
        (3, 0, [1, 1], False),
        (3, 0, [1, 2, 1], True),
        (0, 20, [21], False),
        (0, 20, [20], True),
        (0, 20, [1, 2, 3, 4, 5, 6], False),
        (0, 20, [1, 2, 3, 4, 5, 5], True),
        (3, 20, [1, 1], False),
        (3, 20, [20], True),
        (3, 20, [21], False),
    ],
)
def test_span_count_within_bounds(
    policy: Callable[..., Policy], low: int, high: int, batches: list[int], expected: bool
) -> None:
    """Both bounds are inclusive, over all records of the trace."""
    made = policy("span_count", min_spans=low, max_spans=high)
    view = view_of(made, *([span()] * count for count in batches))

    assert expected is (made.evaluate(view) is Decision.SAMPLED)


def test_trace_flags_need_the_sampled_bit(samples: Samples) -> None:
    """Only the lowest bit counts."""
    assert samples("trace_flags", [span(), span(flags=0x301)])
    assert not samples("trace_flags", [span(), span(flags=0x300)])


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("non_matching=value", False),
        ("example=non_matching", False),
        ("example=value", True),
        ("", False),
        ("example=non_matching,non_matching=value", False),
        ("example=value,non_matching=value", True),
    ],
)
def test_trace_state_by_key_and_value(samples: Samples, state: str, expected: bool) -> None:
    """An entry of any span's tracestate."""
    spans = [span(), span(trace_state=state)]

    assert expected is samples("trace_state", spans, key="example", values=["value"])


def test_trace_state_values_that_cannot_occur_are_ignored(samples: Samples) -> None:
    """Empty ones, and those longer than an entry may be."""
    spans = [span(trace_state="other=1")]

    assert not samples("trace_state", spans, key="example", values=[""])
    assert not samples(
        "trace_state", [span(trace_state="k=" + "v" * 255)], key="k", values=["v" * 255]
    )


@pytest.mark.parametrize(
    ("trace_id", "hashed"),
    [
        (bytes(range(1, 17)).hex(), 0xDBCF64D5420F4CAD),
        ("4bf92f3577b34da6a3ce929d0e0e4736", 0xA54533BA2E4970B5),
        ("5b8efff798038103d269b633813fc60c", 0x95F176D291B1D3F7),
        ("0af7651916cd43dd8448eb211c80319c", 0x33BF83D45F51634C),
    ],
)
def test_fnv_of_salt_and_id_is_the_collectors(trace_id: str, hashed: int) -> None:
    """The hash decides which traces two tiers keep."""
    salted = fnv1a_64(b"default-hash-seed", 0xCBF29CE484222325)

    assert hashed == fnv1a_64(bytes.fromhex(trace_id), salted)


def test_fnv_of_any_length_is_byte_by_byte() -> None:
    """Taking four bytes at a time changes nothing."""
    dice = Random(5)
    for size in range(20):
        data = dice.randbytes(size)
        state = 0xCBF29CE484222325
        for byte in data:
            state = (state ^ byte) * 0x100000001B3 % (1 << 64)
        assert state == fnv1a_64(data, 0xCBF29CE484222325)


@pytest.mark.parametrize(
    ("percentage", "expected"),
    [
        (1, 0x28F5C28F5C28F5F),
        (10, 0x19999999999999FF),
        (25, 0x3FFFFFFFFFFFFFFF),
        (50, 0x7FFFFFFFFFFFFFFF),
        (0, 0),
        (-50, 0),
        (100, (1 << 64) - 1),
        (150, (1 << 64) - 1),
    ],
)
def test_threshold_is_the_collectors(percentage: float, expected: int) -> None:
    """To the last digit."""
    assert expected == threshold(percentage)


@pytest.mark.parametrize(
    ("trace_id", "percentage"),
    [
        ("4bf92f3577b34da6a3ce929d0e0e4736", 64.559),
        ("5b8efff798038103d269b633813fc60c", 58.572),
        ("0af7651916cd43dd8448eb211c80319c", 20.214),
    ],
)
def test_probabilistic_samples_above_the_share_of_the_hash(
    policy: Callable[..., Policy], trace_id: str, percentage: float
) -> None:
    """A trace is sampled once the percentage exceeds where its hash stands."""
    decisions = []
    for percent in (percentage - 0.001, percentage + 0.001):
        made = policy("probabilistic", sampling_percentage=percent)
        view = view_of(made, [span()])
        view.show(bytes.fromhex(trace_id), view.parts, 1)
        decisions.append(made.evaluate(view))

    assert decisions == [Decision.NOT_SAMPLED, Decision.SAMPLED]


@pytest.mark.parametrize("salt", ["", "test-salt"])
def test_probabilistic_share_of_many_ids(policy: Callable[..., Policy], salt: str) -> None:
    """The share is near the percentage, with any salt."""
    made = policy("probabilistic", sampling_percentage=33, hash_salt=salt)
    view = view_of(made, [span()])
    dice = Random(3)
    kept = 0
    for _ in range(20_000):
        view.show(dice.randbytes(16), view.parts, 1)
        kept += made.evaluate(view) is Decision.SAMPLED

    assert 0.32 < kept / 20_000 < 0.34
