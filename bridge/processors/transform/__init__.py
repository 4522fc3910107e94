"""The transform processor: OTTL statements over every item."""

from bridge.core import (
    Batch,
    Processor,
    ProcessorFactory,
    Settings,
    Signal,
    Stability,
    Stage,
)
from bridge.ottl import Cursor, Payload, possible
from bridge.processors._faults import FaultReporter
from bridge.processors._rewrite import Change
from bridge.processors._stage import RewritingStage
from bridge.processors.transform.options import StatementGroup, TransformOptions

__all__ = ["FACTORY", "StatementGroup", "TransformOptions", "TransformProcessor"]


class TransformProcessor(RewritingStage):
    """Runs the groups of statements of one signal over each batch."""

    def __init__(
        self, options: TransformOptions, settings: Settings, signal: Signal, downstream: Stage
    ) -> None:
        super().__init__(settings, downstream, self._change_for)
        groups = options.groups(signal)
        reporter = FaultReporter(
            settings, [text for group in groups for text in (*group.conditions, *group.statements)]
        )
        self._signal = signal
        self._groups = [options.compile(group, signal, reporter) for group in groups]
        needles = [group.needles for group in self._groups]
        self._needles = (
            None if None in needles else tuple(one for some in needles for one in some or ())
        )

    def _change_for(self, batch: Batch) -> Change:
        metadata = batch.metadata

        def change(body: bytes) -> tuple[bytes, int]:
            if self._needles is not None and not possible(self._needles, body):
                return body, 0
            payload = Payload(body, self._signal)
            cursor = Cursor(payload)
            cursor.metadata = metadata
            # Only editors of metrics add or remove points.
            counted = self._signal is Signal.METRICS
            before = payload.count() if counted else 0
            for group in self._groups:
                group.run(cursor)
            changed = payload.dump()
            return changed, (payload.count() - before) if counted else 0

        return change


def _create(
    options: TransformOptions, settings: Settings, signal: Signal, downstream: Stage
) -> Processor:
    return TransformProcessor(options, settings, signal, downstream)


FACTORY = ProcessorFactory(
    type_name="transform",
    config=TransformOptions,
    create=_create,
    stability=Stability.BETA,
)
