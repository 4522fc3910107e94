"""The probabilistic sampler: keeps a share of the traces or log records."""

from bridge.core import (
    Batch,
    Counter,
    Processor,
    ProcessorFactory,
    Settings,
    Signal,
    Stability,
    Stage,
)
from bridge.ottl import Node, Payload
from bridge.processors._rewrite import Change
from bridge.processors._stage import RewritingStage
from bridge.processors.probabilistic_sampler.options import SamplerOptions
from bridge.processors.probabilistic_sampler.sampler import Sampler, Verdict

__all__ = ["FACTORY", "ProbabilisticSampler", "SamplerOptions"]

_COUNTERS = {
    Signal.TRACES: "otelcol_processor_probabilistic_sampler_count_traces_sampled",
    Signal.LOGS: "otelcol_processor_probabilistic_sampler_count_logs_sampled",
}


class ProbabilisticSampler(RewritingStage):
    """Drops the items that the sampler does not keep; scopes and resources without items go."""

    def __init__(
        self, options: SamplerOptions, settings: Settings, signal: Signal, downstream: Stage
    ) -> None:
        super().__init__(settings, downstream, self._change_for)
        self._signal = signal
        self._sampler = Sampler(options, signal)
        self._counters: dict[Verdict, Counter] = {}

    def _change_for(self, batch: Batch) -> Change:
        def change(body: bytes) -> tuple[bytes, int]:
            payload = Payload(body, self._signal)
            before = payload.count()
            for resource in payload.resources:
                for scope in resource.scopes:
                    scope.items[:] = [item for item in scope.items if self._keeps(item)]
                resource.scopes = [scope for scope in resource.scopes if scope.items]
            payload.resources = [one for one in payload.resources if one.scopes]
            if not payload.resources:
                return b"", -before
            changed = payload.dump()
            return changed, payload.count() - before

        return change

    def _keeps(self, item: Node) -> bool:
        item.parse()
        verdict = self._sampler.judge(item)
        counter = self._counters.get(verdict)
        if counter is None:
            # Policies are few: five names and an attribute.
            labels = {"policy": verdict.policy, "sampled": str(verdict.kept).lower()}
            counter = self._settings.metrics.counter(_COUNTERS[self._signal], labels)
            self._counters[verdict] = counter
        counter.add()
        return verdict.kept


def _create(
    options: SamplerOptions, settings: Settings, signal: Signal, downstream: Stage
) -> Processor:
    return ProbabilisticSampler(options, settings, signal, downstream)


FACTORY = ProcessorFactory(
    type_name="probabilistic_sampler",
    config=SamplerOptions,
    create=_create,
    signals=frozenset({Signal.TRACES, Signal.LOGS}),
    stability=Stability.BETA,
)
