"""The policy that asks OTTL conditions."""

from collections.abc import Sequence

from bridge.core import Malformed, Signal
from bridge.ottl import Conditions, Cursor, ErrorMode, Failed, Payload, possible
from bridge.processors._gathering import Decision
from bridge.processors.tail_sampling.policy import NO_COLUMNS
from bridge.processors.tail_sampling.view import PolicyError, TraceView


def compile_conditions(
    span: Sequence[str], spanevent: Sequence[str], error_mode: str = ""
) -> tuple[Conditions | None, Conditions | None]:
    """
    The conditions on spans and on events; `None` for an empty list.

    Raises:
        OttlSyntaxError: If one of them cannot run.
    """
    mode = ErrorMode(error_mode or "silent")  # The Collector fails only where it is told to.
    return (
        Conditions("span", span, mode) if span else None,
        Conditions("spanevent", spanevent, mode) if spanevent else None,
    )


class OttlCondition:
    """Samples traces in which any condition holds on any span or on any event of one."""

    columns = NO_COLUMNS

    def __init__(self, span: Sequence[str], spanevent: Sequence[str], error_mode: str) -> None:
        self._span, self._event = compile_conditions(span, spanevent, error_mode)

    def evaluate(self, view: TraceView) -> Decision:
        """
        Ask span by span in the order of arrival, each span's events after it.

        Raises:
            PolicyError: If a condition fails and errors propagate.
        """
        span = self._span if self._possible(self._span, view) else None
        event = self._event if self._possible(self._event, view) else None
        if span is None and event is None:
            return Decision.NOT_SAMPLED
        try:
            payload = Payload(view.request, Signal.TRACES)
            matches = _any(payload, span, event)
        except (Failed, Malformed) as error:
            raise PolicyError(str(error)) from error
        return Decision.SAMPLED if matches else Decision.NOT_SAMPLED

    def _possible(self, conditions: Conditions | None, view: TraceView) -> bool:
        """Whether the bytes of the trace can fulfil a condition or make one fail."""
        if conditions is None:
            return False
        return conditions.needles is None or possible(conditions.needles, view.framed)


def _any(payload: Payload, span: Conditions | None, event: Conditions | None) -> bool:
    cursor = Cursor(payload)
    for resource in payload.resources:
        resource.parse()
        cursor.resource = resource
        for scope in resource.scopes:
            scope.parse()
            cursor.scope = scope
            for item in scope.items:
                item.parse()
                cursor.item = item
                if span is not None and span.hold(cursor):
                    return True
                if event is not None and _any_event(cursor, event):
                    return True
    return False


def _any_event(cursor: Cursor, conditions: Conditions) -> bool:
    for event in cursor.item.events:
        event.parse()
        cursor.part = event
        if conditions.hold(cursor):
            return True
    return False
