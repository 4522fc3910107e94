"""The document of /api/status."""

from bridge.core import Status, View
from bridge.core.status import State
from bridge.extensions.admin.history import History
from bridge.extensions.admin.status import EVENTS_MAX, status_of
from bridge.testing import FakeHost, ManualClock


async def test_events_of_all_processes_are_in_order_and_bounded() -> None:
    """By their time, whoever logged them."""
    views = [
        View(
            worker,
            [],
            {},
            [{"event": "e", "timestamp": f"{at:04}"} for at in range(worker, 400, 2)],
        )
        for worker in (0, 1)
    ]

    told = await status_of(FakeHost(shown=views), History(ManualClock()))

    stamps = [event["timestamp"] for event in told["events"]]
    assert len(stamps) == EVENTS_MAX
    assert stamps == sorted(stamps)
    assert stamps[-1] == "0399"


async def test_components_tell_state_reason_and_hint() -> None:
    """What is wrong and what to type."""
    host = FakeHost(reported=[Status(State.PERMANENT, "held", "dlq skip", "kafka")])

    told = await status_of(host, History(ManualClock()))

    assert told["components"] == [
        {"name": "kafka", "state": "StatusPermanentError", "reason": "held", "hint": "dlq skip"}
    ]
