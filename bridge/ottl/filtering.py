"""
Dropping what conditions match: resources, scopes, items and their parts, from the outside in.

What is kept is kept as the bytes that came; only a span or metric of which a part was dropped is
written anew.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from bridge.core import Signal
from bridge.ottl.expressions import Cursor, Needles
from bridge.ottl.glance import Probe
from bridge.ottl.nodes import MetricNode, Payload, ResourceNode, ScopeNode, SpanNode
from bridge.ottl.sequences import Failed


class Decider(Protocol):
    """Something that says whether the item at hand is to be dropped."""

    needles: Needles | None
    """What a request's bytes must hold for anything to be dropped; `None` if that is not known."""
    probe: Probe | None
    """False for the bytes of an item that surely stays."""
    outer: Callable[[Cursor], bool] | None
    """False for a scope of which every item surely stays."""

    def hold(self, cursor: Cursor) -> bool:
        """
        Whether it is.

        Raises:
            Failed: If that cannot be said and errors propagate.
        """
        ...


class Rules:
    """
    What to drop, by context. One request passes through several of them in turn.

    Args:
        resource, scope, item, part:
            Deciders of the contexts; `None` where there is no condition. `item` is the span, log
            record or metric, `part` the event or data point.
    """

    __slots__ = ("item", "part", "resource", "scope")

    def __init__(
        self,
        *,
        resource: Decider | None = None,
        scope: Decider | None = None,
        item: Decider | None = None,
        part: Decider | None = None,
    ) -> None:
        self.resource = resource
        self.scope = scope
        self.item = item
        self.part = part

    @property
    def needles(self) -> Needles | None:
        """What a request must hold for anything to be dropped; `None` if nothing is known."""
        if self.resource is not None or self.scope is not None or self.part is not None:
            return None
        return None if self.item is None else self.item.needles


class Filter:
    """All rules of one processor for one signal."""

    def __init__(self, signal: Signal, rules: Sequence[Rules]) -> None:
        self._signal = signal
        self._rules = rules

    def apply(self, cursor: Cursor) -> None:
        """
        Drop what the rules match from the cursor's payload.

        Raises:
            Failed: If a condition failed, errors propagate, and something is left all the same.
        """
        failures: list[Failed] = []
        for rules in self._rules:
            _Pass(rules, self._signal, failures).run(cursor)
            if cursor.payload is not None and not cursor.payload.resources:
                return
        if failures:
            raise failures[0]


class _Pass:
    """One pass of rules over a payload."""

    def __init__(self, rules: Rules, signal: Signal, failures: list[Failed]) -> None:
        self._rules = rules
        self._failures = failures
        self._parts = _PARTS.get(signal)

    def run(self, cursor: Cursor) -> None:
        payload: Payload | None = cursor.payload
        if payload is None:
            return
        payload.resources = [
            one for one in payload.resources if not self._drops_resource(one, cursor)
        ]

    def _says(self, decider: Decider, cursor: Cursor) -> bool | None:
        """The decision; `None` if it failed, which keeps what is at hand as it is."""
        try:
            return decider.hold(cursor)
        except Failed as error:
            self._failures.append(error)
            return None

    def _drops_resource(self, resource: ResourceNode, cursor: Cursor) -> bool:
        rules = self._rules
        resource.parse()
        cursor.resource = resource
        if rules.resource is not None:
            answer = self._says(rules.resource, cursor)
            if answer is not False:
                return answer is True
        if rules.scope is rules.item is rules.part is None:
            return not resource.scopes
        resource.scopes = [one for one in resource.scopes if not self._drops_scope(one, cursor)]
        return not resource.scopes

    def _drops_scope(self, scope: ScopeNode, cursor: Cursor) -> bool:
        rules = self._rules
        scope.parse()
        cursor.scope = scope
        if rules.scope is not None:
            answer = self._says(rules.scope, cursor)
            if answer is not False:
                return answer is True
        raws = scope.raws
        if rules.item is None and rules.part is None:
            return not raws
        outer = None if rules.item is None or rules.part is not None else rules.item.outer
        if outer is not None and not outer(cursor):
            return not raws
        kept = self._kept(scope, raws, cursor)
        if kept is not None:
            scope.keep(kept)
            return not kept
        return not raws

    def _kept(self, scope: ScopeNode, raws: list[bytes], cursor: Cursor) -> list[bytes] | None:
        """The items that stay; `None` if all do, just as they are."""
        item, part = self._rules.item, self._rules.part
        probe = None if item is None or part is not None else item.probe
        kept: list[bytes] | None = None
        for index, raw in enumerate(raws):
            if probe is None or probe(raw):
                left = self._left_of(scope.make(raw), raw, cursor)
                if left is not raw and kept is None:
                    kept = raws[:index]
                if kept is not None and left is not None:
                    kept.append(left)
            elif kept is not None:
                kept.append(raw)
        return kept

    def _left_of(self, node: Any, raw: bytes, cursor: Cursor) -> bytes | None:
        """What stays of an item; the same object if all of it does."""
        item, part, parts = self._rules.item, self._rules.part, self._parts
        node.parse()
        cursor.item = node
        if item is not None:
            answer = self._says(item, cursor)
            if answer is not False:
                return None if answer else raw
        if part is None or parts is None:
            return raw
        if parts(self, node, part, cursor):
            return None
        left: bytes = node.dump()
        return left

    def drops_span(self, span: SpanNode, part: Decider, cursor: Cursor) -> bool:
        """Drop events; a span stays, also without any."""
        kept = []
        for event in span.events:
            event.parse()
            cursor.part = event
            if not self._says(part, cursor):
                kept.append(event)
        if len(kept) != len(span.events):
            span.events = kept
        return False

    def drops_metric(self, metric: MetricNode, part: Decider, cursor: Cursor) -> bool:
        """Drop points; a metric without any goes too."""
        if not metric.kind:
            return False
        failures = len(self._failures)
        dropped = set()
        for index, point in enumerate(metric.points):
            cursor.part = point
            if self._says(part, cursor):
                dropped.add(index)
        if dropped:
            metric.remove(dropped)
        return not metric.points and len(self._failures) == failures


_PARTS: dict[Signal, Callable[[_Pass, SpanNode, Decider, Cursor], bool]] = {
    Signal.TRACES: _Pass.drops_span,
    Signal.METRICS: _Pass.drops_metric,  # type: ignore[dict-item]  # the signal says which node comes
}
