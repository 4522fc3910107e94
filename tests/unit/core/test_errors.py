"""The tree of errors."""

import pytest

from bridge.core import errors


def test_every_delivery_error_is_retryable_permanent_or_denied() -> None:
    """A caller that knows the three families knows what to do with any error."""
    families = (errors.Retryable, errors.Permanent, errors.Denied)
    leaves = [
        errors.Overloaded("full"),
        errors.Unavailable("away"),
        errors.Interrupted("stopping"),
        errors.Malformed("broken"),
        errors.TooLarge("large"),
        errors.Refused("no"),
        errors.Denied("not you"),
    ]

    assert all(sum(isinstance(leaf, family) for family in families) == 1 for leaf in leaves)
    assert not isinstance(errors.ConfigError("x"), errors.DeliveryError)


def test_overload_always_carries_a_hint() -> None:
    """Without one, all senders would come back at once."""

    assert errors.Overloaded("full").retry_after_s == 1.0
    assert errors.Unavailable("away").retry_after_s is None
    assert errors.Unavailable("away", retry_after_s=3).retry_after_s == 3


def test_denied_says_what_to_type() -> None:
    """The hint travels with the error."""
    with pytest.raises(errors.Denied) as caught:
        raise errors.Denied("no topic", hint="kafka-topics --create")

    assert caught.value.hint == "kafka-topics --create"
