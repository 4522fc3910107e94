"""The same thing once in a while."""

from bridge.flow.seldom import Seldom


def test_key_is_let_through_once_in_an_interval() -> None:
    """Each for itself."""
    seldom = Seldom(60.0, keys_max=10)

    assert [seldom.lets("a", at_s) for at_s in (5.0, 64.9, 65.0)] == [True, False, True]
    assert seldom.lets("b", 66.0)


def test_keys_beyond_the_bound_are_forgotten() -> None:
    """Memory is bounded; a line too many is the price."""
    seldom = Seldom(60.0, keys_max=2)

    assert [seldom.lets(key, 1.0) for key in ("a", "b", "a", "c", "a")] == [
        True,
        True,
        False,
        True,
        True,
    ]
