"""Durations on the command line."""

import pytest

from bridge.cli.durations import positive_s


def test_duration_is_given_in_seconds() -> None:
    """In the Collector's spelling."""
    assert positive_s("--timeout", "1m30s") == 90.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0s", "--timeout must be above 0"),
        ("-1s", "--timeout must be above 0"),
        ("5", "--timeout: "),
    ],
)
def test_wrong_duration_is_told_with_its_option(text: str, told: str) -> None:
    """There may be several on one command line."""
    with pytest.raises(ValueError, match=told):
        positive_s("--timeout", text)
