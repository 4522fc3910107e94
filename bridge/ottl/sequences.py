"""
Running statements and conditions over a payload, with the three ways to take an error.

A group of statements runs one after the other over every item of its context; groups follow each
other, so that a later one sees what an earlier one did to all items.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any

from bridge.core import Signal
from bridge.ottl.conditions import needed_by_any, outer_of_any, probe_of_any
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Needles
from bridge.ottl.glance import Probe
from bridge.ottl.groups import Clause, compile_conditions, compile_group
from bridge.ottl.nodes import Payload


class ErrorMode(Enum):
    """What follows when a statement or condition fails on an item."""

    IGNORE = "ignore"
    """Log it, go on with the next one; a condition counts as false."""
    SILENT = "silent"
    """The same without the log."""
    PROPAGATE = "propagate"
    """Refuse the whole request."""


class Failed(OttlError):
    """A statement failed under `ErrorMode.PROPAGATE`; the message names it."""


OnError = Callable[[str, OttlError, Cursor], None]
"""Told of every failure: the statement, what happened, where. Decides about logs and counters."""


def _report_nothing(text: str, error: OttlError, cursor: Cursor) -> None:
    """The failure is nobody's business."""


class Conditions:
    """
    Conditions of one context, any of which suffices.

    Args:
        context:
            One of the names in `OF_SIGNAL`.
        on_error:
            Told of failures.
        prefixed:
            Whether every path must name its context.
        given:
            The texts, if they are compiled already.

    Raises:
        OttlSyntaxErrors: If conditions cannot run in the context; their places are
            ``("conditions", index)``.
    """

    def __init__(
        self,
        context: str,
        texts: Sequence[str],
        error_mode: ErrorMode = ErrorMode.PROPAGATE,
        *,
        on_error: OnError = _report_nothing,
        prefixed: bool = False,
        given: list[Clause] | None = None,
    ) -> None:
        self.context = context
        self.clauses = (
            compile_conditions(context, texts, prefixed=prefixed) if given is None else given
        )
        tests = [clause.test for clause in self.clauses]
        self.needles: Needles | None = needed_by_any(tests)
        self.probe: Probe | None = probe_of_any(tests)
        self.outer = outer_of_any(tests)
        self._propagates = error_mode is ErrorMode.PROPAGATE
        self._on_error = on_error

    def hold(self, cursor: Cursor) -> bool:
        """
        Whether any condition is true for the item at hand.

        Raises:
            Failed: If one fails and errors propagate.
        """
        for clause in self.clauses:
            try:
                if clause.test.run(cursor):
                    return True
            except OttlError as error:
                self._on_error(clause.text, error, cursor)
                if self._propagates:
                    raise Failed(f"condition {clause.text!r}: {error}") from error
        return False


class Statements:
    """
    A group of statements of one context.

    Args:
        context:
            The context, or empty to infer it from the paths.
        conditions:
            Tested once an item; the statements run if any is true, or if there are none.

    Raises:
        OttlSyntaxErrors: If statements or conditions cannot run; their places are
            ``("statements", index)`` and ``("conditions", index)``.
    """

    def __init__(
        self,
        signal: Signal,
        texts: Sequence[str],
        error_mode: ErrorMode,
        *,
        context: str = "",
        conditions: Sequence[str] = (),
        on_error: OnError = _report_nothing,
    ) -> None:
        group = compile_group(signal, texts, conditions, context)
        self.context = group.context
        self.programs = group.programs
        self._conditions = (
            Conditions(
                group.context, conditions, error_mode, on_error=on_error, given=group.clauses
            )
            if conditions
            else None
        )
        self._propagates = error_mode is ErrorMode.PROPAGATE
        self._on_error = on_error
        self._steps = [
            (None if one.where.constant else one.where.run, one.run, one.text)
            for one in self.programs
            if one.where.constant is not False
        ]
        wheres = [program.where for program in self.programs]
        decided = self._conditions
        self.needles: Needles | None = decided.needles if decided else needed_by_any(wheres)
        """What a request's bytes must hold for any statement to run."""
        self._probe = decided.probe if decided else probe_of_any(wheres)
        self._outer = decided.outer if decided else outer_of_any(wheres)

    def run(self, cursor: Cursor) -> None:
        """
        Run the statements over every item of the cursor's payload.

        Raises:
            Failed: If one fails and errors propagate.
        """
        visit(self.context, cursor, self._at_item, self._probe, self._outer)

    def _at_item(self, cursor: Cursor) -> None:
        if cursor.cache:
            cursor.cache = {}
        if self._conditions is not None and not self._conditions.hold(cursor):
            return
        for where, run, text in self._steps:
            try:
                if where is None or where(cursor):
                    run(cursor)
            except OttlError as error:
                self._on_error(text, error, cursor)
                if self._propagates:
                    raise Failed(f"statement {text!r}: {error}") from error


Act = Callable[[Cursor], None]
Outer = Callable[[Cursor], bool]


def visit(
    context: str,
    cursor: Cursor,
    act: Act,
    probe: Probe | None = None,
    outer: Outer | None = None,
) -> None:
    """
    Move *cursor* over every item of *context*.

    Args:
        probe:
            Items for which it is false are passed over.
        outer:
            Scopes for which it is false are passed over.
    """
    payload = cursor.payload
    if payload is not None:
        _VISITS[context](payload, cursor, act, probe, outer)


def _visit_resources(
    payload: Payload, cursor: Cursor, act: Act, probe: Probe | None, outer: Outer | None
) -> None:
    for resource in payload.resources:
        resource.parse()
        cursor.resource = resource
        act(cursor)


def _scopes(payload: Payload, cursor: Cursor, outer: Outer | None) -> Iterable[None]:
    """Point the cursor at one scope after the other."""
    for resource in payload.resources:
        resource.parse()
        cursor.resource = resource
        for scope in resource.scopes:
            scope.parse()
            cursor.scope = scope
            if outer is None or outer(cursor):
                yield


def _visit_scopes(
    payload: Payload, cursor: Cursor, act: Act, probe: Probe | None, outer: Outer | None
) -> None:
    for _ in _scopes(payload, cursor, None):
        act(cursor)


def _items(
    payload: Payload, cursor: Cursor, probe: Probe | None, outer: Outer | None
) -> Iterable[Any]:
    """Point the cursor at one item after the other."""
    for _ in _scopes(payload, cursor, outer):
        # Items that are added on the way are visited too, as in the Collector.
        for item in cursor.scope.items:
            # The bytes of an item that changed are not what it is any more.
            if probe is not None and not item.changed and not probe(item.raw):
                continue
            if item.message is None:
                item.parse()
            cursor.item = item
            yield item


def _visit_items(
    payload: Payload, cursor: Cursor, act: Act, probe: Probe | None, outer: Outer | None
) -> None:
    for _ in _items(payload, cursor, probe, outer):
        act(cursor)


def _visit_events(
    payload: Payload, cursor: Cursor, act: Act, probe: Probe | None, outer: Outer | None
) -> None:
    for item in _items(payload, cursor, probe, outer):
        for event in item.events:
            event.parse()
            cursor.part = event
            act(cursor)


def _visit_points(
    payload: Payload, cursor: Cursor, act: Act, probe: Probe | None, outer: Outer | None
) -> None:
    for item in _items(payload, cursor, probe, outer):
        for point in item.points:
            cursor.part = point
            act(cursor)


_VISITS = {
    "resource": _visit_resources,
    "scope": _visit_scopes,
    "span": _visit_items,
    "log": _visit_items,
    "metric": _visit_items,
    "spanevent": _visit_events,
    "datapoint": _visit_points,
}
