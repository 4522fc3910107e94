"""What of a batch a tap shows: the items that meet its condition. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from bridge.core import Signal
from bridge.ottl import (
    Conditions,
    Cursor,
    ErrorMode,
    Filter,
    Needles,
    OttlSyntaxErrors,
    Payload,
    Rules,
)
from bridge.ottl.glance import Probe

_CONTEXTS = {Signal.TRACES: "span", Signal.METRICS: "metric", Signal.LOGS: "log"}

_SHORT = re.compile(
    r'\s*([A-Za-z_][\w.-]*)\s*(==|!=)\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false)\s*'
)
"""``service.name == "x"``: the name of an attribute where OTTL has a path."""


@dataclass(frozen=True, slots=True)
class Matched:
    """The items that met the condition, as a request of their own."""

    body: bytes
    items: int


class TapMatcher:
    """
    Cuts batches down to the items that meet one condition.

    Args:
        where:
            An OTTL condition about a span, log record or metric, such as ``name == "GET"``; or an
            attribute and a value, such as ``service.name == "x"``, which is looked for on the
            resource and on the item. Empty for everything.

    Raises:
        ValueError: If it can run for no signal; says why.
    """

    def __init__(self, where: str) -> None:
        self._filters: dict[Signal, Filter | None] = {}
        if not where.strip():
            self._filters = dict.fromkeys(Signal)
            return
        reasons: list[str] = []
        for signal, context in _CONTEXTS.items():
            try:
                conditions = _conditions(context, where)
            except OttlSyntaxErrors as error:
                reasons.append(str(error))
            else:
                self._filters[signal] = Filter(signal, [Rules(item=_Unless(conditions))])
        if not self._filters:
            raise ValueError(reasons[0])

    def match(self, signal: Signal, body: bytes, items: int) -> Matched | None:
        """
        The items of *body* that meet the condition; `None` if none does.

        Raises:
            Malformed: If *body* is broken.
        """
        if signal not in self._filters:
            return None
        one = self._filters[signal]
        if one is None:
            return Matched(body, items) if items else None
        payload = Payload(body, signal)
        one.apply(Cursor(payload))
        if not payload.resources:
            return None
        return Matched(payload.dump(), payload.count())


class _Unless:
    """Drops what does not meet the conditions, and that for which they fail."""

    needles: Needles | None = None
    probe: Probe | None = None
    outer: Callable[[Cursor], bool] | None = None

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions

    def hold(self, cursor: Cursor) -> bool:
        return not self._conditions.hold(cursor)


def _conditions(context: str, where: str) -> Conditions:
    try:
        return Conditions(context, [where], ErrorMode.SILENT)
    except OttlSyntaxErrors:
        found = _SHORT.fullmatch(where)
        if found is None:
            raise
    name, operator, value = found.groups()
    places = (
        ["resource.attributes"] if context == "metric" else ["resource.attributes", "attributes"]
    )
    equal = " or ".join(f'{place}["{name}"] == {value}' for place in places)
    return Conditions(context, [equal if operator == "==" else f"not ({equal})"], ErrorMode.SILENT)
