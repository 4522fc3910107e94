"""The rules of a filter from its config: which deciders stand at which level."""

from collections.abc import Sequence
from typing import Any

from bridge.core import Signal
from bridge.ottl import Conditions, Cursor, ErrorMode, Rules, check_context, infer_condition
from bridge.processors._faults import FaultReporter
from bridge.processors._match import (
    Matcher,
    MatchProperties,
    Skip,
    attribute_set,
    log_matcher,
    span_matcher,
    text_set,
)
from bridge.processors.filter.options import ConditionGroup, FilterFields, MetricMatch

_LEVELS = {
    "resource": "resource",
    "scope": "scope",
    "span": "item",
    "log": "item",
    "metric": "item",
    "spanevent": "part",
    "datapoint": "part",
}


def condition_texts(options: FilterFields, signal: Signal) -> list[str]:
    """Every OTTL condition about a signal."""
    texts = [text for group in _groups(options, signal) for text in group.conditions]
    for conditions in _older(options, signal).values():
        texts += conditions or []
    return texts


def build_rules(
    options: FilterFields, signal: Signal, reporter: FaultReporter | None
) -> list[Rules]:
    """
    The rules for a signal, in the order in which a request passes through them.

    Raises:
        ValueError: If a condition cannot run, or a matcher makes no sense.
    """
    groups = _groups(options, signal)
    if groups:
        return [_group_rules(options, group, signal, reporter) for group in groups]
    older = _older(options, signal)
    mode = ErrorMode(options.error_mode)
    if any(texts is not None for texts in older.values()):
        deciders = {
            _LEVELS[context]: _conditions(context, texts, mode, reporter)
            for context, texts in older.items()
            if texts is not None
        }
        return [Rules(**deciders)]
    return _matchers(options, signal)


def _groups(options: FilterFields, signal: Signal) -> list[ConditionGroup]:
    entries = {
        Signal.TRACES: options.trace_conditions,
        Signal.METRICS: options.metric_conditions,
        Signal.LOGS: options.log_conditions,
    }[signal]
    texts = [entry for entry in entries if isinstance(entry, str)]
    groups = [entry for entry in entries if isinstance(entry, ConditionGroup)]
    return [*groups, ConditionGroup(conditions=texts)] if texts else groups


def _older(options: FilterFields, signal: Signal) -> dict[str, list[str] | None]:
    if signal is Signal.TRACES:
        traces = options.traces
        return {"resource": traces.resource, "span": traces.span, "spanevent": traces.spanevent}
    if signal is Signal.METRICS:
        metrics = options.metrics
        return {
            "resource": metrics.resource,
            "metric": metrics.metric,
            "datapoint": metrics.datapoint,
        }
    return {"resource": options.logs.resource, "log": options.logs.log_record}


def _group_rules(
    options: FilterFields, group: ConditionGroup, signal: Signal, reporter: FaultReporter | None
) -> Rules:
    mode = ErrorMode(group.error_mode or options.error_mode)
    by_context: dict[str, list[str]] = {}
    if group.context:
        check_context(group.context, signal)
        by_context[group.context] = group.conditions
    else:
        for text in group.conditions:
            by_context.setdefault(infer_condition(text, signal), []).append(text)
    deciders = {
        _LEVELS[context]: _conditions(context, texts, mode, reporter, prefixed=not group.context)
        for context, texts in by_context.items()
        if texts
    }
    return Rules(**deciders)


def _conditions(
    context: str,
    texts: Sequence[str],
    mode: ErrorMode,
    reporter: FaultReporter | None,
    *,
    prefixed: bool = False,
) -> Conditions:
    told: dict[str, Any] = {} if reporter is None else {"on_error": reporter.of(mode)}
    return Conditions(context, texts, mode, prefixed=prefixed, **told)


def _matchers(options: FilterFields, signal: Signal) -> list[Rules]:
    """The rules of include and exclude; none if neither is given."""
    if signal is Signal.METRICS:
        return _metric_matchers(options.metrics.include, options.metrics.exclude)
    include: MatchProperties | None
    exclude: MatchProperties | None
    if signal is Signal.TRACES:
        include, exclude, make = options.spans.include, options.spans.exclude, span_matcher
    else:
        logs, make = options.logs, log_matcher
        include = logs.include.properties() if logs.include else None
        exclude = logs.exclude.properties() if logs.exclude else None
    if include is None and exclude is None:
        return []
    wanted = None if include is None else make(include)
    unwanted = None if exclude is None else make(exclude)
    return [Rules(item=Skip(wanted, unwanted))]


def _metric_matchers(include: MetricMatch | None, exclude: MetricMatch | None) -> list[Rules]:
    by_resource = Skip(_of_resource(include), _of_resource(exclude))
    by_name = Skip(_of_name(include), _of_name(exclude))
    has_resource = any(one is not None and one.resource_attributes for one in (include, exclude))
    has_name = any(one is not None and one.metric_names for one in (include, exclude))
    if not has_resource and not has_name:
        return []
    return [
        Rules(resource=by_resource if has_resource else None, item=by_name if has_name else None)
    ]


def _of_resource(match: MetricMatch | None) -> Matcher | None:
    if match is None or not match.resource_attributes:
        return None
    test = attribute_set(match.resource_attributes, _type(match))
    return lambda cursor: test(cursor.resource.attributes)


def _of_name(match: MetricMatch | None) -> Matcher | None:
    if match is None or not match.metric_names:
        return None
    names = text_set(match.metric_names, _type(match))

    def test(cursor: Cursor) -> bool:
        return names(cursor.item.message.name.decode("utf-8", "surrogateescape"))

    return test


def _type(match: MetricMatch) -> Any:
    return match.match_type
