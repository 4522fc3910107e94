"""The attributes processor: actions on the attributes of spans, log records and data points."""

from collections.abc import Callable

from pydantic import Field, model_validator

from bridge.core import Batch, Processor, ProcessorFactory, Settings, Signal, Stability, Stage
from bridge.options import Options
from bridge.ottl import Cursor, Payload
from bridge.processors._actions import ActionOptions, compile_actions
from bridge.processors._match import (
    Matcher,
    MatchProperties,
    Skip,
    log_matcher,
    metric_matcher,
    span_matcher,
)
from bridge.processors._rewrite import Change
from bridge.processors._stage import RewritingStage

__all__ = ["FACTORY", "AttributesOptions", "AttributesProcessor"]

_MATCHERS: dict[Signal, Callable[[MatchProperties], Matcher | None]] = {
    Signal.TRACES: span_matcher,
    Signal.LOGS: log_matcher,
    Signal.METRICS: metric_matcher,
}


class AttributesOptions(Options):
    """Change the attributes of spans, log records or data points."""

    include: MatchProperties | None = None
    """Only items with these properties are changed; all if it is not given."""
    exclude: MatchProperties | None = None
    """Items with these properties are left alone."""
    actions: list[ActionOptions] = Field(min_length=1)
    """The actions, run in order."""

    @model_validator(mode="after")
    def _check_matchers(self) -> "AttributesOptions":
        # Which properties make sense depends on the pipelines; none of them is wrong for all.
        problems = []
        for signal in Signal:
            try:
                self.skip(signal)
            except ValueError as error:
                problems.append(str(error))
        if len(problems) == len(Signal):
            raise ValueError(problems[0])
        return self

    def skip(self, signal: Signal) -> Skip | None:
        """
        What says which items are left alone; `None` if none are.

        Raises:
            ValueError: If a property does not fit the signal, or a pattern is not valid.
        """
        if self.include is None and self.exclude is None:
            return None
        make = _MATCHERS[signal]
        wanted = None if self.include is None else make(self.include)
        unwanted = None if self.exclude is None else make(self.exclude)
        return Skip(wanted, unwanted)


class AttributesProcessor(RewritingStage):
    """Runs the actions over each item that is not skipped."""

    def __init__(
        self, options: AttributesOptions, settings: Settings, signal: Signal, downstream: Stage
    ) -> None:
        super().__init__(settings, downstream, self._change_for)
        self._signal = signal
        self._act = compile_actions(options.actions)
        self._skip = options.skip(signal)

    def _change_for(self, batch: Batch) -> Change:
        metadata, act = batch.metadata, self._act
        points = self._signal is Signal.METRICS

        def on_item(cursor: Cursor) -> None:
            if not points:
                act(cursor.item.attributes, metadata)
                return
            for point in cursor.item.points:
                act(point.attributes, metadata)

        def change(body: bytes) -> tuple[bytes, int]:
            payload = Payload(body, self._signal)
            self._visit(payload, on_item)
            return payload.dump(), 0

        return change

    def _visit(self, payload: Payload, act: Callable[[Cursor], None]) -> None:
        cursor, skip = Cursor(payload), self._skip
        for resource in payload.resources:
            resource.parse()
            cursor.resource = resource
            for scope in resource.scopes:
                scope.parse()
                cursor.scope = scope
                for item in scope.items:
                    item.parse()
                    cursor.item = item
                    if skip is None or not skip.hold(cursor):
                        act(cursor)


def _create(
    options: AttributesOptions, settings: Settings, signal: Signal, downstream: Stage
) -> Processor:
    return AttributesProcessor(options, settings, signal, downstream)


FACTORY = ProcessorFactory(
    type_name="attributes",
    config=AttributesOptions,
    create=_create,
    stability=Stability.BETA,
)
