"""Two judgements of the same traces, added up by outcome, policy and service. Pure."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

PENDING_MAX = 250_000
"""
Traces that one side has decided and the other not, about 300 bytes each. The sides differ by their
waits, so only traces within the difference stand here; the oldest go uncompared beyond that.
"""

SERVICES_MAX = 1_000
"""Services told apart; the rest is added up as `OTHERS`."""

OTHERS = "(others)"

Outcome = tuple[bool | None, bool]
"""Whether the current policies keep a trace, `None` without any, and whether the candidate does."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one side says of a trace, the policy that settles it, and how large the trace is."""

    kept: bool
    by: str
    service: str
    spans: int
    size_bytes: int


@dataclass(slots=True)
class Amount:
    """So many traces with their spans and bytes."""

    traces: int = 0
    spans: int = 0
    size_bytes: int = 0

    def add(self, ruling: Ruling) -> None:
        """Add one trace."""
        self.traces += 1
        self.spans += ruling.spans
        self.size_bytes += ruling.size_bytes


def _amounts() -> "defaultdict[Outcome, Amount]":
    return defaultdict(Amount)


@dataclass(slots=True)
class SideTotals:
    """What one side keeps or not, and what each policy settles by keeping or by dropping."""

    kept: Amount = field(default_factory=Amount)
    not_kept: Amount = field(default_factory=Amount)
    policies: dict[tuple[str, bool], Amount] = field(default_factory=lambda: defaultdict(Amount))


class Comparison:
    """
    Adds up rulings; those of both sides about one trace are compared.

    Args:
        both:
            Whether there is a current side beside the candidate.
    """

    def __init__(self, *, both: bool) -> None:
        self.candidate = SideTotals()
        self.current = SideTotals() if both else None
        # What changes, besides the totals: rulings that wait for that of the other side.
        self._pending: dict[bytes, deque[tuple[bool, Ruling]]] = {}
        self.outcomes: dict[Outcome, Amount] = _amounts()
        self.services: dict[str, dict[Outcome, Amount]] = {}
        self.uncompared = 0

    def rule(self, trace_id: bytes, ruling: Ruling, *, of_candidate: bool) -> None:
        """Take one side's ruling about a trace."""
        side = self.candidate if of_candidate else self.current
        assert side is not None  # noqa: S101 - Only a comparison of both has a current side.
        (side.kept if ruling.kept else side.not_kept).add(ruling)
        if ruling.by:
            side.policies[ruling.by, ruling.kept].add(ruling)
        if self.current is None:
            self._settle((None, ruling.kept), ruling)
            return
        waiting = self._pending.get(trace_id)
        if waiting is None:
            self._pending[trace_id] = deque([(of_candidate, ruling)])
            if len(self._pending) > PENDING_MAX:
                self.uncompared += len(self._pending.pop(next(iter(self._pending))))
        elif waiting[0][0] is of_candidate:
            # A side may decide a trace twice: in two partitions, or because its cache forgot it.
            waiting.append((of_candidate, ruling))
        else:
            _, other = waiting.popleft()
            if not waiting:
                del self._pending[trace_id]
            candidate, current = (ruling, other) if of_candidate else (other, ruling)
            self._settle((current.kept, candidate.kept), candidate)

    def end(self) -> None:
        """Nothing more comes: what still waits for the other side stays uncompared."""
        self.uncompared += sum(map(len, self._pending.values()))
        self._pending.clear()

    def _settle(self, outcome: Outcome, ruling: Ruling) -> None:
        self.outcomes[outcome].add(ruling)
        service = ruling.service
        if service not in self.services and len(self.services) >= SERVICES_MAX:
            service = OTHERS
        self.services.setdefault(service, _amounts())[outcome].add(ruling)
