"""Comparisons with slow hashes: away from the event loop, bounded, and once for each sender."""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bridge.core import BridgeError, Clock, Denied, Overloaded

WAITING_MAX: Final = 32
"""Comparisons that wait for the thread: with bcrypt at cost 10 the last one for two seconds."""

Decision = asyncio.Future[BridgeError | None]
"""Why a sender may not send, once that is known; `None` lets it in. Waiters shield it."""


class _Memory:
    """Outcomes that are remembered by a name; the oldest go first."""

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self._names: OrderedDict[bytes, None] = OrderedDict()

    def add(self, name: bytes) -> None:
        self._names[name] = None
        while len(self._names) > self._size_max:
            self._names.popitem(last=False)

    def __contains__(self, name: bytes) -> bool:
        if name not in self._names:
            return False
        self._names.move_to_end(name)
        return True


class SlowChecks:
    """
    Remembers which credentials fit, and finds it out for others in one thread.

    Good and bad ones are remembered apart, so that guessing does not make known senders strangers
    again. Each user that exists has a rate of its own, and all others share one: who guesses for
    users that he does not know, holds up nobody.

    Args:
        fits: Whether a password belongs to a hash; runs in the thread.
        per_s: Comparisons in a second for a user, and for all users that do not exist together.
        remembered: Credentials that are remembered, of good and of bad ones each.
    """

    def __init__(
        self, fits: Callable[[str, str], bool], clock: Clock, *, per_s: int, remembered: int
    ) -> None:
        self._fits = fits
        self._clock = clock
        self._per_s = per_s
        # Nobody finds passwords in the memory: the key is random, and lost with the process.
        self._key = secrets.token_bytes(64)
        # What changes: what is known and asked, and how often this second.
        self._good = _Memory(remembered)
        self._bad = _Memory(remembered)
        self._asked: dict[bytes, Decision] = {}
        self._second = 0
        self._counts: dict[str | None, int] = {}
        self._thread: ThreadPoolExecutor | None = None

    def check(self, user: str, password: str, hashed: str, *, exists: bool) -> Decision | None:
        """
        Whether *password* fits *hashed*; a user that does not exist never comes in.

        Returns:
            `None` if it is known to fit; otherwise what says so later.

        Raises:
            Denied: If it is known not to fit.
            Overloaded: If there are too many new ones to compare now.
        """
        # A user that was taken out is compared with some hash, which may be the one it had.
        about = "\0".join((user, hashed, password, str(exists))).encode()
        name = hashlib.blake2b(about, key=self._key, digest_size=32).digest()
        if name in self._good:
            return None
        if name in self._bad:
            raise denied()
        decision = self._asked.get(name)
        if decision is None:
            self._charge(user if exists else None)
            decision = self._asked[name] = asyncio.get_running_loop().create_future()
            self._ask(name, decision, (password, hashed), exists=exists)
        return decision

    def stop(self) -> None:
        """Compare nothing any more; who waits is told to come again."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None
        for decision in self._asked.values():
            if not decision.done():
                decision.set_result(Overloaded("stopping", retry_after_s=1.0))
        self._asked.clear()

    def _ask(self, name: bytes, decision: Decision, pair: tuple[str, str], *, exists: bool) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "passwords")
        answer = asyncio.get_running_loop().run_in_executor(self._thread, self._fits, *pair)

        def settle(done: asyncio.Future[bool]) -> None:
            self._asked.pop(name, None)
            if decision.done():
                return
            if done.cancelled() or done.exception() is not None:
                decision.set_result(Overloaded("the password was not compared", retry_after_s=1.0))
            elif done.result() and exists:
                self._good.add(name)
                decision.set_result(None)
            else:
                self._bad.add(name)
                decision.set_result(denied())

        answer.add_done_callback(settle)

    def _charge(self, user: str | None) -> None:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._counts = second, {}
        count = self._counts.get(user, 0)
        if count >= self._per_s or len(self._asked) >= WAITING_MAX:
            raise Overloaded("too many senders show new credentials at once", retry_after_s=1.0)
        self._counts[user] = count + 1


HINT: Final = "send Authorization: Basic with base64 of USER:PASSWORD"


def denied() -> Denied:
    """What is told of a wrong user and of a wrong password alike."""
    return Denied(f"wrong user or password: {HINT}")
