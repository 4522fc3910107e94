"""What the doctor says: findings with a code, how bad each is, and what mends it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from bridge.core import DeliveryError, Denied


class Severity(Enum):
    """How bad a finding is."""

    OK = "ok"
    """Looked at and good."""
    INFO = "info"
    """Worth knowing; nothing need be done."""
    WARNING = "warning"
    """It works and will hurt some day."""
    ERROR = "error"
    """It does not work, or data is lost."""

    @property
    def rank(self) -> int:
        """From 0 for ok to 3 for error."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was looked at.

    Args:
        code: Stays the same for good; `bridge.config.CODES` says what it means.
        subject: What was looked at, such as ``topic otlp_spans``.
        cause: What was found, in one sentence.
        mend: The command or the change that mends it; empty if nothing need be done.
    """

    code: str
    severity: Severity
    subject: str
    cause: str
    mend: str = ""
    permission: bool = False
    """Whether it is about credentials or rights."""


GOOD = "BR-3000"
"""The code of every finding that is `Severity.OK`."""


def ok(subject: str, cause: str) -> Finding:
    """What was looked at and is good."""
    return Finding(GOOD, Severity.OK, subject, cause)


def info(code: str, subject: str, cause: str, mend: str = "") -> Finding:
    """What is worth knowing."""
    return Finding(code, Severity.INFO, subject, cause, mend)


def warning(code: str, subject: str, cause: str, mend: str) -> Finding:
    """What works and will hurt some day."""
    return Finding(code, Severity.WARNING, subject, cause, mend)


def error(code: str, subject: str, cause: str, mend: str, *, permission: bool = False) -> Finding:
    """What does not work, or loses data."""
    return Finding(code, Severity.ERROR, subject, cause, mend, permission)


def failed(code: str, subject: str, problem: DeliveryError, mend: str) -> Finding:
    """What could not be looked at; the hint of *problem* is preferred to *mend*."""
    denied = isinstance(problem, Denied)
    hint = problem.hint if isinstance(problem, Denied) else ""
    return error(code, subject, str(problem), hint or mend, permission=denied)


def worst(findings: Iterable[Finding]) -> Severity:
    """The severity of the worst finding; ok without any."""
    return max((one.severity for one in findings), key=lambda one: one.rank, default=Severity.OK)
