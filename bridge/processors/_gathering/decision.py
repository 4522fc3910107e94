"""What can be decided about a trace, and who decides."""

from enum import Enum
from typing import Protocol

from bridge.processors._gathering.trace import Parts


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


class KeepAll:
    """Samples every trace."""

    def decide(self, trace_id: bytes, parts: Parts, spans: int) -> Decision:
        """Sample."""
        return Decision.SAMPLED
