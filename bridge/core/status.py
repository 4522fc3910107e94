"""How a component is, in the Collector's seven states."""

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """The vocabulary of the Collector's healthcheckv2 extension."""

    STARTING = "StatusStarting"
    OK = "StatusOK"
    RECOVERABLE = "StatusRecoverableError"
    PERMANENT = "StatusPermanentError"
    FATAL = "StatusFatalError"
    STOPPING = "StatusStopping"
    STOPPED = "StatusStopped"

    @property
    def ready(self) -> bool:
        """Whether a component in this state does its work."""
        return self is State.OK


@dataclass(frozen=True, slots=True)
class Status:
    """
    One report of a component.

    `reason` says what is wrong, `hint` what to type; both are empty for `State.OK`. `subject`
    separates independent troubles of one component (a partition, a topic): each subject has its
    own latest status and the worst one counts. `impedes_readiness` is false for trouble that only
    delays data which is safe at its source, such as a backend's outage behind a Kafka receiver.
    """

    state: State
    reason: str = ""
    hint: str = ""
    subject: str = ""
    impedes_readiness: bool = True
