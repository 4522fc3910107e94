"""Dead letters: the original with headers of ours, and back."""

import pytest

from bridge.core import Signal
from bridge.flow import Letter, letter_headers, read_letter
from bridge.flow.dead_letter import REASON_CHARS_MAX

LETTER = Letter(
    "otlp_spans",
    3,
    41,
    42,
    1_750_000_000_123,
    b"key",
    b"value",
    (("tenant", b"a"), ("tenant", None)),
    Signal.TRACES,
    "otlp_proto",
    "processing",
    "Refused",
    "no such tenant: ä",
    1_750_000_001.5,
)


def test_letter_read_again_is_the_same() -> None:
    """Key, value, headers in order and everything about it come back."""
    headers = letter_headers(LETTER)

    assert read_letter(LETTER.key, LETTER.value, headers) == LETTER


def test_letter_headers_stand_behind_the_original_ones() -> None:
    """The original's headers come first, in their order, and ours are readable text."""
    headers = letter_headers(LETTER)

    assert headers[:2] == [("tenant", b"a"), ("tenant", None)]
    assert dict(headers[2:]) == {
        "bridge-dlq-topic": b"otlp_spans",
        "bridge-dlq-partition": b"3",
        "bridge-dlq-offset": b"41",
        "bridge-dlq-offset-stop": b"42",
        "bridge-dlq-timestamp-ms": b"1750000000123",
        "bridge-dlq-signal": b"traces",
        "bridge-dlq-encoding": b"otlp_proto",
        "bridge-dlq-group": b"processing",
        "bridge-dlq-error": b"Refused",
        "bridge-dlq-reason": "no such tenant: ä".encode(),
        "bridge-dlq-first-seen": b"2025-06-15T15:06:41.500+00:00",
    }


def test_letter_with_endless_reason_is_cut() -> None:
    """A backend's answer of any length does not make the letter too large."""
    from dataclasses import replace

    headers = dict(letter_headers(replace(LETTER, reason="x" * 5000)))

    assert headers["bridge-dlq-reason"] == b"x" * REASON_CHARS_MAX


@pytest.mark.parametrize(
    ("name", "value"),
    [("bridge-dlq-offset", b"many"), ("bridge-dlq-signal", b"smoke"), ("bridge-dlq-topic", None)],
)
def test_letter_of_somebody_else_is_refused(name: str, value: bytes | None) -> None:
    """A record without our headers, or with senseless ones, is no letter."""
    headers = dict(letter_headers(LETTER))
    if value is None:
        del headers[name]
    else:
        headers[name] = value

    with pytest.raises(ValueError, match=r"header|many|smoke"):
        read_letter(None, b"", headers.items())
