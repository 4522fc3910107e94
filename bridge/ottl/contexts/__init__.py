"""
The contexts: which paths and enums each has, and which contexts enclose it.

`CONTEXTS` is in the order in which the context of a statement is inferred: the first that some path
names wins.
"""

from dataclasses import dataclass

from bridge.core import Signal
from bridge.ottl.contexts import datapoint, log, metric, resource, scope, span, spanevent
from bridge.ottl.contexts.fields import Fields

_OF_NAME: dict[str, Fields] = {
    resource.NAME: resource.FIELDS,
    scope.NAME: scope.FIELDS,
    scope.LEGACY_NAME: scope.FIELDS,
    span.NAME: span.FIELDS,
    spanevent.NAME: spanevent.FIELDS,
    metric.NAME: metric.FIELDS,
    datapoint.NAME: datapoint.FIELDS,
    log.NAME: log.FIELDS,
}


@dataclass(frozen=True, slots=True)
class Context:
    """
    What statements of one context may use.

    `names` are the contexts whose paths can be reached, the own one first.
    """

    name: str
    names: tuple[str, ...]
    enums: dict[str, int]

    def fields(self, name: str) -> Fields:
        """The paths of an own or enclosing context."""
        return _OF_NAME[name]


_SCOPES = (scope.NAME, scope.LEGACY_NAME)

CONTEXTS: dict[str, Context] = {
    context.name: context
    for context in (
        Context(log.NAME, (log.NAME, *_SCOPES, resource.NAME), log.ENUMS),
        Context(
            datapoint.NAME,
            (datapoint.NAME, metric.NAME, *_SCOPES, resource.NAME),
            datapoint.ENUMS,
        ),
        Context(metric.NAME, (metric.NAME, *_SCOPES, resource.NAME), metric.ENUMS),
        Context(
            spanevent.NAME, (spanevent.NAME, span.NAME, *_SCOPES, resource.NAME), spanevent.ENUMS
        ),
        Context(span.NAME, (span.NAME, *_SCOPES, resource.NAME), span.ENUMS),
        # Inside the scope context itself the old spelling is not known.
        Context(scope.NAME, (scope.NAME, resource.NAME), scope.ENUMS),
        Context(resource.NAME, (resource.NAME,), resource.ENUMS),
    )
}

OF_SIGNAL: dict[Signal, tuple[str, ...]] = {
    Signal.TRACES: (resource.NAME, scope.NAME, span.NAME, spanevent.NAME),
    Signal.METRICS: (resource.NAME, scope.NAME, metric.NAME, datapoint.NAME),
    Signal.LOGS: (resource.NAME, scope.NAME, log.NAME),
}
"""The contexts that statements about a signal may have, from the outside in."""
