"""
Thresholds and randomness, the 56-bit numbers of consistent probability sampling.

An item is sampled if its randomness is at least the threshold. Randomness comes from the trace id,
or from an explicit value; the threshold from the wanted probability. Both travel in hex: ``rv`` has
14 digits, ``th`` leaves its trailing zeros out.

Source: OpenTelemetry specification, "TraceState: Probability Sampling".
"""

import math

_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")

DIGITS = 14
"""Hex digits of 56 bits."""

SCALE = 1 << 56
"""How many values there are."""

ALWAYS, NEVER = 0, SCALE
"""The thresholds that all randomness, and none, reaches."""

MOST_RANDOM = SCALE - 1
"""The randomness that is sampled at every probability."""

PROBABILITY_MIN = 1.0 / SCALE
"""The smallest probability that has a threshold."""


def to_threshold(probability: float, precision: int) -> int | None:
    """
    The threshold of *probability*, rounded to so many hex digits.

    Digits that are all 0 or f at the front do not count, so that very small and very large
    probabilities keep their relative precision.

    Returns:
        `None` if the probability is below `PROBABILITY_MIN` or above 1.
    """
    if not PROBABILITY_MIN <= probability <= 1:
        return None
    if probability == 1:
        return ALWAYS
    leading = max(math.frexp(one)[1] // -4 for one in (probability, 1 - probability) if one)
    digits = min(DIGITS, precision + max(leading, 0))
    threshold = SCALE - _rounded(probability * SCALE)
    shift = 4 * (DIGITS - digits)
    if shift > 0:
        threshold = (threshold + (1 << (shift - 1))) >> shift << shift
    return threshold


def _rounded(value: float) -> int:
    """The nearest int; halves go up. Adding a half first would lose bits of large numbers."""
    whole = math.floor(value)
    return whole + (value - whole >= 0.5)


def to_probability(threshold: int) -> float:
    """The probability that a threshold stands for."""
    return float(SCALE - threshold) / SCALE


def parse_threshold(text: str) -> int | None:
    """The threshold of a ``th`` value; `None` if it is not valid."""
    return _parse(text.ljust(DIGITS, "0")) if 0 < len(text) <= DIGITS else None


def parse_randomness(text: str) -> int | None:
    """The randomness of an ``rv`` value; `None` if it is not valid."""
    return _parse(text) if len(text) == DIGITS else None


def _parse(digits: str) -> int | None:
    # Python alone would take a prefix such as 0x, signs and underscores.
    return int(digits, 16) if _HEX_DIGITS.issuperset(digits) else None


def show_threshold(threshold: int) -> str:
    """The ``th`` value; nothing for `NEVER`."""
    if threshold == ALWAYS:
        return "0"
    return "" if threshold >= SCALE else f"{threshold:014x}".rstrip("0")


def show_randomness(randomness: int) -> str:
    """The ``rv`` value."""
    return f"{randomness:014x}"


def trace_id_randomness(trace_id: bytes) -> int:
    """The last 56 bits of a trace id."""
    return int.from_bytes(trace_id[-7:], "big")


_BUCKET_BITS = 14
BUCKETS = 1 << _BUCKET_BITS
"""Buckets of the older hash; a probability below one of them samples nothing."""


def hash_randomness(data: bytes, seed: int) -> int:
    """
    The randomness of the older hash mode: the first 14 bits decide, the rest only fills up.

    It is laid out so that samplers of the newer modes behind decide consistently with it.
    """
    hashed = _fnv1a_32(seed.to_bytes(4, "little") + data)
    bucket = hashed % BUCKETS
    unused = hashed >> (32 - _BUCKET_BITS)
    mixed = unused ^ (unused << 10)
    return ((BUCKETS - 1 - bucket) << 42) | (mixed << 14) | bucket


def _fnv1a_32(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
