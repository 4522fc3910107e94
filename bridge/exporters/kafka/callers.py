"""Who waits for Kafka, and whether anybody else is likely to come. Pure."""

SEEN_S = 1.0
"""Seconds for which the largest number of callers at a time is remembered, at least; twice that at
most. A hundred times the default linger: where requests come without waiting for answers, one
moment in so many has more of them than all others of late, and is written too early by that."""


class Callers:
    """
    Counts requests that wait for an answer, and remembers the most that did so of late.

    Senders wait for answers before they send again. Once as many requests are gathered as have
    waited at one time within the last second or two, nobody is left who could send another one:
    to wait for more would be in vain. Where requests come without regard to answers, as many at a
    time are rare, and gathering takes its time.
    """

    __slots__ = ("_before", "_peak", "_since_s", "expected", "waiting")

    def __init__(self) -> None:
        # What changes: who waits, the most at a time, now and in the span of time before, when
        # this one began, and the larger of both.
        self.waiting = 0
        self.expected = 1
        self._peak = 0
        self._before = 0
        self._since_s = float("-inf")

    def came(self) -> None:
        """One more request waits for its answer."""
        self.waiting += 1
        if self.waiting > self._peak:
            self._peak = self.waiting
            self.expected = max(self.expected, self._peak)

    def left(self) -> None:
        """A request was answered, or its sender waits no more."""
        self.waiting -= 1

    def look(self, now_s: float) -> None:
        """Forget what was seen too long ago: to be called where gathering begins."""
        passed_s = now_s - self._since_s
        if passed_s >= SEEN_S:
            self._before = self._peak if passed_s < 2 * SEEN_S else 0
            self._since_s = now_s
            self._peak = self.waiting
            self.expected = max(self._before, self._peak, 1)
