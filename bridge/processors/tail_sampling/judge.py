"""All policies of one processor: the order in which they are asked, and what they say together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.processors._gathering import Decision, Parts, Trace, compiled
from bridge.processors.tail_sampling.policy import Policy, columns_of, plan_of
from bridge.processors.tail_sampling.schema import column_reader
from bridge.processors.tail_sampling.telemetry import Tally
from bridge.processors.tail_sampling.view import PolicyError, TraceView

_SAMPLED, _NOT_SAMPLED, _DROPPED = Decision.SAMPLED, Decision.NOT_SAMPLED, Decision.DROPPED

_TIMED_EVERY = 32
"""
One trace in so many is timed, and counts for all of them: reading the clock twice for each policy
and trace would cost as much as the policies do.
"""

_US_PER_S = 1_000_000
_NS_PER_US = 1_000


@dataclass(frozen=True, slots=True)
class Juror:
    """One policy with its name and figures."""

    name: str
    policy: Policy
    tally: Tally
    drops: bool = False


class PolicyJudge:
    """
    Asks policies about traces.

    A policy of type drop beats all others and is asked first. Then one that samples suffices.
    """

    def __init__(
        self, jurors: Sequence[Juror], *, first_match: bool, now: Callable[[], float]
    ) -> None:
        self.jurors = [*(j for j in jurors if j.drops), *(j for j in jurors if not j.drops)]
        self._asked = [(juror.policy.evaluate, juror.tally) for juror in self.jurors]
        self._first_match = first_match
        self._now = now
        self._view = TraceView(column_reader(columns_of([juror.policy for juror in jurors])))
        self._plan = plan_of([juror.policy for juror in self.jurors])
        # What changes: how many traces go by until one is timed, and the nanoseconds that each
        # policy took beyond whole microseconds.
        self._until_timed = 1
        self._rest_ns = [0] * len(self.jurors)

    def decide_many(self, traces: list[Trace]) -> bytes | None:
        """
        What all policies say together about many traces, as `decide` says it of one.

        Returns:
            A byte for each trace: 0 for not sampled, 1 for sampled, 2 where `decide` must be asked.
            `None` if that is so for all, since some policy needs to see more of a trace.
        """
        if compiled is None or self._plan is None:
            return None
        said, counted = compiled.judge(self._plan, traces, self._first_match)
        for index, (asked, sampled, took_ns) in enumerate(counted):
            tally = self.jurors[index].tally
            tally.sampled.value += sampled
            tally.not_sampled.value += asked - sampled
            tally.executions.value += asked
            took_us, self._rest_ns[index] = divmod(took_ns + self._rest_ns[index], _NS_PER_US)
            tally.time_us.value += took_us
        return bytes(said)

    def decide(self, trace_id: bytes, parts: Parts, spans: int) -> Decision:
        """
        The decision of all policies together about one trace.

        A policy that fails is counted and passed over.
        """
        view = self._view
        view.show(trace_id, parts, spans)
        self._until_timed -= 1
        if not self._until_timed:
            self._until_timed = _TIMED_EVERY
            return self._decide_timed(view)[0]
        sampled = False
        for evaluate, tally in self._asked:
            try:
                decision = evaluate(view)
            except PolicyError:
                tally.errors.value += 1
                continue
            if decision is _NOT_SAMPLED:
                tally.not_sampled.value += 1
            elif decision is _SAMPLED:
                tally.sampled.value += 1
                sampled = True
                if self._first_match:
                    break
            else:
                tally.dropped.value += 1
                return _DROPPED
        return _SAMPLED if sampled else _NOT_SAMPLED

    def decide_and_name(self, trace_id: bytes, parts: Parts, spans: int) -> tuple[Decision, str]:
        """The same decision, and the policy that settles it; empty if none samples the trace."""
        self._view.show(trace_id, parts, spans)
        return self._decide_timed(self._view)

    def opinions(self, trace_id: bytes, parts: Parts, spans: int) -> list[tuple[str, str]]:
        """
        What each policy says by itself, by name, in the order in which they are asked.

        For one that fails the reason. Nothing is counted, but limits of a rate are used up.
        """
        view = self._view
        view.show(trace_id, parts, spans)
        said = []
        for juror in self.jurors:
            try:
                said.append((juror.name, juror.policy.evaluate(view).value))
            except PolicyError as error:
                said.append((juror.name, f"error: {error}"))
        return said

    def _decide_timed(self, view: TraceView) -> tuple[Decision, str]:
        """
        The same with the policy that settles it, the first that samples or one that drops.

        The time each policy took is counted as often as traces go untimed.
        """
        sampled_by = ""
        for juror, (evaluate, tally) in zip(self.jurors, self._asked, strict=True):
            began_s = self._now()
            try:
                decision = evaluate(view)
            except PolicyError:
                tally.errors.value += 1
                continue
            finally:
                took_us = (self._now() - began_s) * _US_PER_S
                tally.time_us.value += round(took_us * _TIMED_EVERY)
                tally.executions.value += _TIMED_EVERY
            if decision is _NOT_SAMPLED:
                tally.not_sampled.value += 1
            elif decision is _SAMPLED:
                tally.sampled.value += 1
                sampled_by = sampled_by or juror.name
                if self._first_match:
                    break
            else:
                tally.dropped.value += 1
                return _DROPPED, juror.name
        return (_SAMPLED, sampled_by) if sampled_by else (_NOT_SAMPLED, "")
