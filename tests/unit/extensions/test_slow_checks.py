"""Slow comparisons bother nobody but who shows something new."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from bridge.core import Denied, Overloaded
from bridge.extensions._slow_checks import WAITING_MAX, SlowChecks
from bridge.testing import ManualClock


class Thread:
    """Compares when it may, and says what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.threads: set[int] = set()
        self.open = threading.Event()
        self.open.set()
        self.clock = ManualClock()

    def fits(self, password: str, hashed: str) -> bool:
        """Good passwords begin with the hash."""
        self.open.wait(10)
        self.asked.append(password)
        self.threads.add(threading.get_ident())
        if password == "fault":
            raise ValueError(password)
        return password.startswith(hashed)

    def checks(self, per_s: int = 100, remembered: int = 100) -> SlowChecks:
        """Checks that ask this thread."""
        return SlowChecks(self.fits, self.clock, per_s=per_s, remembered=remembered)


@pytest.fixture
def thread() -> Iterator[Thread]:
    """A thread that is let go at the end."""
    made = Thread()
    yield made
    made.open.set()


async def ask(checks: SlowChecks, password: str, user: str = "anna", *, exists: bool = True) -> str:
    """What comes out in the end."""
    try:
        decision = checks.check(user, password, "h", exists=exists)
        error = None if decision is None else await decision
    except (Denied, Overloaded) as raised:
        error = raised
    return "in" if error is None else type(error).__name__


async def test_comparison_runs_in_another_thread_and_once(thread: Thread) -> None:
    """Good and bad outcomes are remembered; requests that come meanwhile share one."""
    checks = thread.checks()
    thread.open.clear()
    tasks = [asyncio.create_task(ask(checks, word)) for word in ("h1", "h1", "x", "h1")]
    await asyncio.sleep(0)
    thread.open.set()

    assert await asyncio.gather(*tasks) == ["in", "in", "Denied", "in"]
    assert [await ask(checks, word) for word in ("h1", "x")] == ["in", "Denied"]
    assert thread.asked == ["h1", "x"]
    assert threading.get_ident() not in thread.threads
    checks.stop()


async def test_guessing_makes_no_known_sender_a_stranger(thread: Thread) -> None:
    """Bad outcomes are remembered apart, however many there are."""
    checks = thread.checks(remembered=2)
    await ask(checks, "h1")
    for number in range(10):
        await ask(checks, f"guess {number}")
    thread.asked.clear()

    assert checks.check("anna", "h1", "h", exists=True) is None
    assert thread.asked == []
    checks.stop()


async def test_who_guesses_holds_up_nobody_else(thread: Thread) -> None:
    """Each user has a rate, and those who do not exist share one."""
    checks = thread.checks(per_s=2)
    guesses = [await ask(checks, f"h{n}", f"stranger {n}", exists=False) for n in range(4)]
    assert guesses == ["Denied", "Denied", "Overloaded", "Overloaded"]
    assert [await ask(checks, f"x{n}", "otto") for n in range(3)][2] == "Overloaded"

    assert await ask(checks, "h1", "anna") == "in"
    await thread.clock.advance(1.0)
    assert await ask(checks, "h2", "otto") == "in"
    checks.stop()


async def test_user_that_was_taken_out_is_not_remembered_as_good(thread: Thread) -> None:
    """Not even if it is compared with the very hash that it had."""
    checks = thread.checks()

    assert await ask(checks, "h1") == "in"
    assert await ask(checks, "h1", exists=False) == "Denied"
    assert await ask(checks, "h1", exists=False) == "Denied"
    checks.stop()


async def test_waiting_comparisons_are_bounded(thread: Thread) -> None:
    """Also when many users come at once; the rest comes again."""
    checks = thread.checks()
    thread.open.clear()
    for number in range(WAITING_MAX):
        assert checks.check(f"user {number}", "h", "h", exists=True) is not None
    with pytest.raises(Overloaded, match="new credentials") as told:
        checks.check("one more", "h", "h", exists=True)

    assert told.value.retry_after_s == 1.0
    thread.open.set()
    checks.stop()


async def test_comparison_that_fails_says_nothing_about_the_sender(thread: Thread) -> None:
    """It is not remembered, and the sender keeps its data."""
    checks = thread.checks()

    assert [await ask(checks, "fault"), await ask(checks, "fault")] == ["Overloaded"] * 2
    assert thread.asked == ["fault", "fault"]
    checks.stop()


async def test_stop_answers_who_waits(thread: Thread) -> None:
    """Nobody waits for a thread that is gone."""
    checks = thread.checks()
    thread.open.clear()
    decision = checks.check("anna", "h", "h", exists=True)
    assert decision is not None
    checks.stop()

    assert isinstance(await decision, Overloaded)
    thread.open.set()
