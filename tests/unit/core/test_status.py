"""How a component is."""

from bridge.core import State, Status


def test_only_ok_is_ready() -> None:
    """Of the Collector's seven states one means that the work is done."""

    assert [state for state in State if state.ready] == [State.OK]
    assert len(State) == 7


def test_status_impedes_readiness_unless_said_otherwise() -> None:
    """A component must say that its trouble only delays."""

    assert Status(State.RECOVERABLE, "away").impedes_readiness
