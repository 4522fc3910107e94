"""Policies that keep a rate: what they say depends on what they said before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.processors._gathering import Decision
from bridge.processors.tail_sampling.policy import NO_COLUMNS, Policy, columns_of
from bridge.processors.tail_sampling.view import TraceView

Now = Callable[[], float]
"""Seconds on a clock that does not jump."""


class TokenBucket:
    """
    Tokens that come in at a rate up to a capacity; full at the beginning.

    Args:
        rate:
            Tokens a second.
        capacity:
            Tokens that are kept; twice the rate if 0.
    """

    def __init__(self, rate: int, capacity: int, now: Now) -> None:
        self._rate = rate
        self._capacity = capacity or rate * 2
        self._now = now
        # What changes: the tokens that were there at a moment.
        self._tokens = float(self._capacity)
        self._at_s = now()

    def take(self, tokens: int) -> bool:
        """Take *tokens* if so many are there, otherwise none."""
        now_s = self._now()
        available = min(self._capacity, self._tokens + max(now_s - self._at_s, 0.0) * self._rate)
        if tokens > available:
            return False
        self._tokens, self._at_s = available - tokens, now_s
        return True


class RateLimiting:
    """Samples as many spans a second as the bucket allows."""

    columns = NO_COLUMNS

    def __init__(self, spans_per_second: int, burst_capacity: int, now: Now) -> None:
        self._bucket = TokenBucket(spans_per_second, burst_capacity, now)

    def evaluate(self, view: TraceView) -> Decision:
        """Take one token for each span."""
        return Decision.SAMPLED if self._bucket.take(view.spans) else Decision.NOT_SAMPLED


class BytesLimiting:
    """Samples as many OTLP bytes a second as the bucket allows."""

    columns = NO_COLUMNS

    def __init__(self, bytes_per_second: int, burst_capacity: int, now: Now) -> None:
        self._bucket = TokenBucket(bytes_per_second, burst_capacity, now)

    def evaluate(self, view: TraceView) -> Decision:
        """Take one token for each byte of the encoded trace."""
        return Decision.SAMPLED if self._bucket.take(len(view.request)) else Decision.NOT_SAMPLED


@dataclass(slots=True)
class Share:
    """A sub-policy of a composite: how many spans a second it may sample, and has in this one."""

    policy: Policy
    spans_per_second: int
    spans: int = 0


class Composite:
    """
    The first sub-policy that samples a trace decides, within its own rate and the total one.

    Each sub-policy's spans are compared with the total by themselves: there is no common sum.
    """

    def __init__(self, total_per_second: int, shares: Sequence[Share], now: Now) -> None:
        self.columns = columns_of([share.policy for share in shares])
        self._total = total_per_second
        self._shares = shares
        self._now = now
        # What changes: the second that the shares' spans belong to.
        self._second = 0

    def evaluate(self, view: TraceView) -> Decision:
        """Ask the sub-policies in order; who samples but has no rate left ends the question."""
        second = int(self._now())
        if second != self._second:
            self._second = second
            for share in self._shares:
                share.spans = 0
        for share in self._shares:
            if share.policy.evaluate(view) is Decision.SAMPLED:
                spans = share.spans + view.spans
                if spans > share.spans_per_second or spans > self._total:
                    return Decision.NOT_SAMPLED
                share.spans = spans
                return Decision.SAMPLED
        return Decision.NOT_SAMPLED
