"""What can be decided about a trace, and who decides."""

from enum import Enum
from typing import Protocol, runtime_checkable

from bridge.processors._gathering.trace import Parts, Trace


class Decision(Enum):
    """The fate of a trace. The value is the Collector's spelling in its metrics."""

    SAMPLED = "sampled"
    NOT_SAMPLED = "not_sampled"
    DROPPED = "dropped"


class Judge(Protocol):
    """Whoever decides about traces that are complete, as far as is known."""

    def decide(self, trace_id: bytes, parts: Parts, spans: int) -> Decision:
        """Decide about one trace; never fails."""
        ...


@runtime_checkable
class BulkJudge(Judge, Protocol):
    """A judge that can say of many traces at once what is to be said of most of them."""

    def decide_many(self, traces: list[Trace]) -> bytes | None:
        """
        Decide about many traces, all undecided ones of them; never fails.

        Returns:
            A byte for each: 0 for not sampled, 1 for sampled, 2 if `decide` has to be asked. `None`
            if it has to be asked about all of them.
        """
        ...


class KeepAll:
    """Samples every trace."""

    def decide(self, trace_id: bytes, parts: Parts, spans: int) -> Decision:
        """Sample."""
        return Decision.SAMPLED

    def decide_many(self, traces: list[Trace]) -> bytes | None:
        """Sample all of them."""
        return b"\1" * len(traces)
