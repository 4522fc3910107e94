"""
The ``tail_sampling`` processor: keeps whole traces or drops them, and never loses an undecided one.

Traces are gathered and custody is kept by `bridge.processors._gathering`; here are the policies,
which look at a trace through narrow readers (`view`, `schema`), and who asks them (`judge`).
"""

from bridge.processors.tail_sampling.comparing import Amount, Comparison, Outcome, SideTotals
from bridge.processors.tail_sampling.explaining import Opinion, Verdict, explain_traces
from bridge.processors.tail_sampling.judge import Juror, PolicyJudge
from bridge.processors.tail_sampling.options import DecisionCacheOptions, TailSamplingOptions
from bridge.processors.tail_sampling.policy_options import PolicyOptions
from bridge.processors.tail_sampling.processor import (
    FACTORY,
    TailSampling,
    build_engine,
    build_judge,
)
from bridge.processors.tail_sampling.rehearsing import Exceptions, Rehearsal, Retained

__all__ = [
    "FACTORY",
    "TailSampling",
    "TailSamplingOptions",
    "DecisionCacheOptions",
    "PolicyOptions",
    # Asking policies without a pipeline.
    "PolicyJudge",
    "Juror",
    "build_judge",
    "build_engine",
    "explain_traces",
    "Verdict",
    "Opinion",
    # Trying policies on what is in the log.
    "Rehearsal",
    "Retained",
    "Exceptions",
    "Comparison",
    "SideTotals",
    "Amount",
    "Outcome",
]
