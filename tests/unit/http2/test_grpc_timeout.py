"""The deadline that a client sends along."""

import pytest

from bridge.http2.grpc_timeout import timeout_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"2H", 7200.0),
        (b"3M", 180.0),
        (b"4S", 4.0),
        (b"500m", 0.5),
        (b"99999999u", 99.999999),
        (b"0n", 0.0),
        (b"123456789S", float("inf")),
        (b"1s", float("inf")),
        (b"S", float("inf")),
        (b"", float("inf")),
        (b"-1S", float("inf")),
        (b"1.5S", float("inf")),
    ],
)
def test_units_are_known_and_nonsense_is_none(value: bytes, seconds: float) -> None:
    """A timeout that is not well formed is no timeout."""
    assert timeout_s(((b"traceparent", b"x"), (b"grpc-timeout", value))) == pytest.approx(seconds)


def test_without_the_field_there_is_none() -> None:
    """Other fields do not matter."""
    assert timeout_s(()) == timeout_s(((b"traceparent", b"1S"),)) == float("inf")
