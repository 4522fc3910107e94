"""The filter processor: drops what conditions match."""

from pydantic import model_validator

from bridge.core import Batch, Processor, ProcessorFactory, Settings, Signal, Stability, Stage
from bridge.ottl import Cursor, Filter, Needles, Payload, Rules, possible
from bridge.processors._faults import FaultReporter
from bridge.processors._rewrite import Change
from bridge.processors._stage import RewritingStage
from bridge.processors.filter.options import ConditionGroup, FilterFields
from bridge.processors.filter.rules import build_rules, condition_texts

__all__ = ["FACTORY", "ConditionGroup", "FilterOptions", "FilterProcessor"]

_COUNTERS = {
    Signal.TRACES: "otelcol_processor_filter_spans_filtered",
    Signal.LOGS: "otelcol_processor_filter_logs_filtered",
    Signal.METRICS: "otelcol_processor_filter_datapoints_filtered",
}


class FilterOptions(FilterFields):
    """
    Drop telemetry that meets conditions.

    Conditions are ORed. Dropping all events keeps the span; scopes and resources without items go.
    """

    @model_validator(mode="after")
    def _compile_all(self) -> "FilterOptions":
        problems: list[str] = []
        for signal in Signal:
            try:
                build_rules(self, signal, None)
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ValueError("\n".join(problems))
        return self


class FilterProcessor(RewritingStage):
    """Drops what the conditions of one signal match; what is kept keeps its bytes."""

    def __init__(
        self, options: FilterOptions, settings: Settings, signal: Signal, downstream: Stage
    ) -> None:
        super().__init__(settings, downstream, self._change_for)
        reporter = FaultReporter(settings, condition_texts(options, signal))
        rules = build_rules(options, signal, reporter)
        self._signal = signal
        self._filter = Filter(signal, rules) if rules else None
        self._needles = _needles(rules)
        self._filtered = settings.metrics.counter(_COUNTERS[signal], {"filter": str(settings.id)})

    def _change_for(self, batch: Batch) -> Change:
        metadata = batch.metadata

        def change(body: bytes) -> tuple[bytes, int]:
            if self._filter is None:
                return body, 0
            payload = Payload(body, self._signal)
            idle = self._needles is not None and not possible(self._needles, body)
            # Resources and scopes without items go also where nothing matches.
            if idle and not payload.has_hollow:
                return body, 0
            cursor = Cursor(payload)
            cursor.metadata = metadata
            before = payload.count()
            self._filter.apply(cursor)
            if not payload.resources:
                self._filtered.add(before)
                return b"", -before
            changed = payload.dump()
            if changed is body:
                return body, 0
            growth = payload.count() - before
            self._filtered.add(-growth)
            return changed, growth

        return change


def _needles(rules: list[Rules]) -> Needles | None:
    """What a request must hold for any rule to drop something."""
    found: list[tuple[bytes, ...]] = []
    for one in rules:
        if one.needles is None:
            return None
        found += one.needles
    return tuple(found)


def _create(
    options: FilterOptions, settings: Settings, signal: Signal, downstream: Stage
) -> Processor:
    return FilterProcessor(options, settings, signal, downstream)


FACTORY = ProcessorFactory(
    type_name="filter",
    config=FilterOptions,
    create=_create,
    stability=Stability.BETA,
)
