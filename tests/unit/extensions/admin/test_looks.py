"""Looking through several workers as if they were one process."""

from collections.abc import Mapping
from typing import Any

import pytest

from bridge.core import SystemClock
from bridge.extensions.admin.looks import NoWorkerAnswers, open_look
from bridge.extensions.admin.tap_desk import TapDesk
from bridge.testing import FakeHost
from tests.unit.extensions.admin.test_tap_desk import STAGE, pass_batches


class Crew:
    """Two workers with their desks, and the host of their parent."""

    def __init__(self) -> None:
        self.workers = [FakeHost(watchers={STAGE: []}) for _ in range(2)]
        self.desks = {at: TapDesk(host, SystemClock()) for at, host in enumerate(self.workers)}
        self.parent = FakeHost(workers=self.ask)

    def ask(self, question: Mapping[str, Any]) -> Mapping[int, Any]:
        """All of them."""
        return {at: desk.answer(question) for at, desk in self.desks.items()}

    def replace(self, at: int) -> None:
        """Another process takes the place of one."""
        self.workers[at] = FakeHost(watchers={STAGE: []})
        self.desks[at] = TapDesk(self.workers[at], SystemClock())

    @property
    def watching(self) -> list[int]:
        """Taps in each."""
        return [len(host.watchers[STAGE]) for host in self.workers]


async def test_batches_of_all_workers_get_one_row_of_numbers() -> None:
    """Each says which worker it was, and its outcome has its number."""
    crew = Crew()
    look = await open_look(crew.parent, STAGE, "", 10, SystemClock())
    for host in crew.workers:
        pass_batches(host, 2)
    events = [await look.next(1.0) for _ in range(8)]
    nothing = await look.next(0.0)
    await look.close()

    shown = [event for event in events if event and event["event"] == "batch"]
    ended = [event for event in events if event and event["event"] == "outcome"]
    assert [event["number"] for event in shown] == [1, 2, 3, 4]
    assert [event["worker"] for event in shown] == [0, 0, 1, 1]
    assert [event["number"] for event in ended] == [1, 2, 3, 4]
    assert nothing is None
    assert look.counts == {"seen": 4, "shown": 4, "missed": 0}
    assert crew.watching == [0, 0]


async def test_limit_is_of_all_together() -> None:
    """What another worker showed beyond it is left out, with its outcome."""
    crew = Crew()
    look = await open_look(crew.parent, STAGE, "", 3, SystemClock())
    for host in crew.workers:
        pass_batches(host, 3)
    events = []
    while not look.complete:
        events.append(await look.next(1.0))
    await look.close()

    assert len(events) == 6
    assert look.counts == {"seen": 6, "shown": 3, "missed": 0}


async def test_worker_that_starts_meanwhile_is_looked_at() -> None:
    """And what the former had counted stays counted."""
    crew = Crew()
    look = await open_look(crew.parent, STAGE, "", 10, SystemClock())
    pass_batches(crew.workers[0], 1)
    assert await look.next(1.0)
    assert await look.next(1.0)
    crew.replace(0)
    assert await look.next(0.0) is None
    assert crew.watching == [1, 1]
    pass_batches(crew.workers[0], 1)
    again = await look.next(1.0)
    await look.close()

    assert again is not None
    assert (again["number"], look.counts["seen"]) == (2, 2)


@pytest.mark.parametrize(
    ("stage", "where", "error"),
    [("exporters/none", "", LookupError), (STAGE, "no condition =", ValueError)],
)
async def test_refusal_of_the_workers_is_that_of_a_process(
    stage: str, where: str, error: type[Exception]
) -> None:
    """And no tap stays open in any of them."""
    crew = Crew()
    with pytest.raises(error):
        await open_look(crew.parent, stage, where, 1, SystemClock())

    assert crew.watching == [0, 0]


async def test_no_worker_to_ask_is_told_apart() -> None:
    """They are starting: whoever asks may come back."""
    with pytest.raises(NoWorkerAnswers):
        await open_look(FakeHost(workers=lambda question: {}), STAGE, "", 1, SystemClock())


async def test_process_without_workers_is_looked_at_directly() -> None:
    """With the same events, but for the worker."""
    host = FakeHost(watchers={STAGE: []})
    look = await open_look(host, STAGE, "", 1, SystemClock())
    pass_batches(host, 1)
    event = await look.next(1.0)
    await look.next(1.0)
    complete = look.complete
    await look.close()

    assert event is not None
    assert "worker" not in event
    assert complete
    assert host.watchers[STAGE] == []
