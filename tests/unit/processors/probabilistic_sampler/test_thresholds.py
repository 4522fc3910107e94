"""Thresholds and randomness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.processors.probabilistic_sampler.thresholds import (
    ALWAYS,
    BUCKETS,
    DIGITS,
    NEVER,
    PROBABILITY_MIN,
    SCALE,
    hash_randomness,
    parse_randomness,
    parse_threshold,
    show_randomness,
    show_threshold,
    to_probability,
    to_threshold,
    trace_id_randomness,
)


@pytest.mark.parametrize(
    ("probability", "precision", "text"),
    [
        (1.0, 4, "0"),
        (0.5, 4, "8"),
        (0.25, 4, "c"),
        (0.1, 4, "e666"),
        (0.01, 4, "fd70a"),
        (1 / 3, 14, "aaaaaaaaaaaaac"),
        (PROBABILITY_MIN, 4, "ffffffffffffff"),
    ],
)
def test_to_threshold_is_the_rejected_share(probability: float, precision: int, text: str) -> None:
    """In as many digits as asked for, those that say nothing not counted."""
    threshold = to_threshold(probability, precision)

    assert threshold is not None
    assert show_threshold(threshold) == text
    assert parse_threshold(text) == threshold


@given(st.floats(PROBABILITY_MIN, 1.0), st.integers(1, DIGITS))
def test_threshold_stands_for_its_probability(probability: float, precision: int) -> None:
    """To the precision, relative to what is rare: the kept or the dropped."""
    threshold = to_threshold(probability, precision)

    assert threshold is not None
    assert ALWAYS <= threshold < NEVER or probability < 2 * PROBABILITY_MIN
    assert abs(to_probability(threshold) - probability) <= 16.0**-precision


def test_to_threshold_of_no_probability_is_none() -> None:
    """Below the least there is, or above one."""
    assert to_threshold(PROBABILITY_MIN / 2, 4) is None
    assert to_threshold(1.1, 4) is None


@given(st.integers(0, SCALE - 1))
def test_numbers_survive_their_texts(value: int) -> None:
    """Both kinds."""
    assert parse_randomness(show_randomness(value)) == value
    assert parse_threshold(show_threshold(value)) == value


@pytest.mark.parametrize("text", ["", "0" * 15, "xyz", "-1", "0x1", "1_0", "\u0661"])
def test_parse_threshold_refuses_what_is_none(text: str) -> None:
    """Other digits, signs, and too many."""
    assert parse_threshold(text) is None
    assert parse_randomness(text.rjust(DIGITS, "z")) is None


def test_never_has_no_text() -> None:
    """It is left out."""
    assert show_threshold(NEVER) == ""


def test_trace_id_gives_its_last_seven_bytes() -> None:
    """The rest does not count."""
    assert trace_id_randomness(bytes(9) + b"\x01" + bytes(6)) == 1 << 48
    assert trace_id_randomness(b"\xff" * 9 + bytes(7)) == 0


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1))
def test_hash_randomness_is_56_bits_that_the_seed_changes(data: bytes, seed: int) -> None:
    """The bucket stands in front and, turned round, at the end."""
    value = hash_randomness(data, seed)

    assert 0 <= value < SCALE
    assert value >> 42 == BUCKETS - 1 - (value & (BUCKETS - 1))
    assert value == hash_randomness(data, seed)


def test_hash_randomness_spreads() -> None:
    """A quarter of many ids is below a quarter."""
    values = [hash_randomness(number.to_bytes(16, "big"), 7) for number in range(4000)]

    assert 0.22 < sum(value < SCALE // 4 for value in values) / len(values) < 0.28
    other = [hash_randomness(number.to_bytes(16, "big"), 8) for number in range(4000)]
    assert values != other
