"""What the policies of a processor would say about the traces of a request."""

from dataclasses import dataclass

from bridge.core import Settings
from bridge.processors._gathering import Decision, traces_of
from bridge.processors.tail_sampling.options import TailSamplingOptions
from bridge.processors.tail_sampling.processor import build_judge


@dataclass(frozen=True, slots=True)
class Opinion:
    """One policy: its name and type, what it says, and the settings by which it says so."""

    policy: str
    type: str
    says: str
    settings: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One trace: what becomes of it, the policy that settles it, and all opinions."""

    trace_id: str
    spans: int
    decision: str
    by: str
    opinions: tuple[Opinion, ...]


def explain_traces(options: TailSamplingOptions, settings: Settings, body: bytes) -> list[Verdict]:
    """
    Ask every policy about every trace of *body*, also those that would not be asked any more.

    A trace is judged on the spans in *body*; a rate limit sees one trace after the other at the
    same moment.

    Raises:
        Malformed: If *body* is no request of traces.
    """
    judge = build_judge(options, settings)
    known = {policy.name: policy for policy in options.policies}
    verdicts = []
    for trace_id, (parts, spans) in traces_of(body).items():
        opinions = []
        for name, says in judge.opinions(trace_id, parts, spans):
            policy = known[name]
            shown = policy.model_dump(
                mode="json", by_alias=True, exclude_unset=True, exclude={"name", "type"}
            )
            opinions.append(Opinion(name, policy.type, says, _compact(shown)))
        decision, by = _together(opinions)
        verdicts.append(Verdict(trace_id.hex(), spans, decision, by, tuple(opinions)))
    return verdicts


def _together(opinions: list[Opinion]) -> tuple[str, str]:
    """A drop beats all; then one that samples suffices."""
    for word in (Decision.DROPPED.value, Decision.SAMPLED.value):
        for opinion in opinions:
            if opinion.says == word:
                return word, opinion.policy
    return Decision.NOT_SAMPLED.value, ""


def _compact(value: object) -> str:
    """Settings as flow YAML without the outermost braces."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_flow(one)}" for key, one in value.items())
    return _flow(value)


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + _compact(value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return str(value)
