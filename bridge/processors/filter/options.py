"""The config of the filter processor, in the Collector's spelling and all its generations."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bridge.core import Signal
from bridge.options import Options
from bridge.ottl import Conditions, Location, check_context, infer_condition
from bridge.processors._match import (
    AttributeMatch,
    MatchProperties,
    RegexpCache,
    SeverityMatch,
)
from bridge.processors._statements import Rename, check_conditions, check_texts
from bridge.processors._texts import Texts


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Mode = Annotated[Literal["ignore", "silent", "propagate"], BeforeValidator(_lower)]
"""``ignore`` logs a failure and goes on, ``silent`` goes on, ``propagate`` refuses the request."""

ContextName = Annotated[
    Literal["resource", "scope", "span", "spanevent", "metric", "datapoint", "log"],
    BeforeValidator(_lower),
]


class ConditionGroup(Options):
    """Conditions of one context, or with contexts in their paths."""

    context: ContextName | None = None
    """The context of the conditions; found from the paths of each if it is not given."""
    conditions: Texts = Field(default_factory=list)
    """What meets any of these is dropped."""
    error_mode: Mode | None = None
    """What follows if a condition fails; the processor's error_mode if it is not given."""


def _kind(value: Any) -> str:
    return "text" if isinstance(value, str) else "group"


Entry = Annotated[
    Annotated[str, Tag("text")] | Annotated[ConditionGroup, Tag("group")], Discriminator(_kind)
]


def _checked(info: ValidationInfo, texts: list[str] | None) -> list[str] | None:
    """The conditions of a field that is named after their context."""
    check_conditions((info.field_name or "").removesuffix("_record"), texts or [])
    return texts


class TraceFilters(Options):
    """The older form of trace conditions."""

    resource: Texts | None = None
    """Conditions on resources; a match drops all of the resource's spans."""
    span: Texts | None = None
    """Conditions on spans."""
    spanevent: Texts | None = None
    """Conditions on span events; a match drops the event."""

    @field_validator("resource", "span", "spanevent")
    @classmethod
    def _check_conditions(cls, texts: list[str] | None, info: ValidationInfo) -> list[str] | None:
        return _checked(info, texts)


class SpanMatch(Options):
    """The oldest form of trace conditions."""

    include: MatchProperties | None = None
    """Spans that stay."""
    exclude: MatchProperties | None = None
    """Spans that are dropped, of those that include leaves."""


class MetricMatch(Options):
    """Properties of metrics."""

    match_type: Literal["strict", "regexp", "expr"]
    """strict compares, regexp searches by RE2 patterns; expr is not supported."""
    regexp: RegexpCache | None = None
    """Accepted, without effect."""
    metric_names: Texts = Field(default_factory=list)
    """Names of metrics."""
    resource_attributes: list[AttributeMatch] = Field(default_factory=list)
    """Attributes of the resource that must all match."""

    @model_validator(mode="after")
    def _check(self) -> "MetricMatch":
        if self.match_type == "expr":
            raise ValueError("match_type expr is not supported: write metric_conditions instead")
        return self


class MetricFilters(Options):
    """The older forms of metric conditions."""

    include: MetricMatch | None = None
    """Metrics that stay."""
    exclude: MetricMatch | None = None
    """Metrics that are dropped, of those that include leaves."""
    regexp: RegexpCache | None = None
    """Accepted, without effect."""
    resource: Texts | None = None
    """Conditions on resources."""
    metric: Texts | None = None
    """Conditions on metrics."""
    datapoint: Texts | None = None
    """Conditions on data points; a metric without points goes too."""

    @field_validator("resource", "metric", "datapoint")
    @classmethod
    def _check_conditions(cls, texts: list[str] | None, info: ValidationInfo) -> list[str] | None:
        return _checked(info, texts)


class LogMatch(Options):
    """Properties of log records."""

    match_type: Literal["strict", "regexp"] | None = None
    """strict compares, regexp searches by RE2 patterns. Only severity_number needs none."""
    resource_attributes: list[AttributeMatch] = Field(default_factory=list)
    """Attributes of the resource that must all match."""
    record_attributes: list[AttributeMatch] = Field(default_factory=list)
    """Attributes of the record that must all match."""
    severity_texts: Texts = Field(default_factory=list)
    """Severity texts."""
    severity_number: SeverityMatch | None = None
    """The lowest severity."""
    bodies: Texts = Field(default_factory=list)
    """Bodies as text."""

    @model_validator(mode="after")
    def _check(self) -> "LogMatch":
        compared = ("resource_attributes", "record_attributes", "severity_texts", "bodies")
        if self.match_type is None and any(getattr(self, name) for name in compared):
            raise ValueError("match_type must be given: strict or regexp")
        return self

    def properties(self) -> MatchProperties | None:
        """The same in the common form; `None` if no property is given."""
        found = MatchProperties(
            match_type=self.match_type or "strict",
            resources=self.resource_attributes,
            attributes=self.record_attributes,
            log_severity_texts=self.severity_texts,
            log_bodies=self.bodies,
            log_severity_number=self.severity_number,
        )
        given = (
            self.resource_attributes,
            self.record_attributes,
            self.severity_texts,
            self.bodies,
            self.severity_number,
        )
        return found if any(given) else None


class LogFilters(Options):
    """The older forms of log conditions."""

    include: LogMatch | None = None
    """Records that stay."""
    exclude: LogMatch | None = None
    """Records that are dropped, of those that include leaves."""
    resource: Texts | None = None
    """Conditions on resources."""
    log_record: Texts | None = None
    """Conditions on log records."""

    @field_validator("resource", "log_record")
    @classmethod
    def _check_conditions(cls, texts: list[str] | None, info: ValidationInfo) -> list[str] | None:
        return _checked(info, texts)


_SIGNALS = {
    "trace_conditions": Signal.TRACES,
    "metric_conditions": Signal.METRICS,
    "log_conditions": Signal.LOGS,
}


class FilterFields(Options):
    """
    Drop telemetry that meets conditions.

    Conditions are ORed. Dropping all events keeps the span; scopes and resources without items go.
    """

    error_mode: Mode = "ignore"
    """What follows if a condition fails: ignore (log, count as false), silent, propagate."""
    trace_conditions: list[Entry] = Field(default_factory=list)
    """Conditions on resources, scopes, spans and span events."""
    metric_conditions: list[Entry] = Field(default_factory=list)
    """Conditions on resources, scopes, metrics and data points."""
    log_conditions: list[Entry] = Field(default_factory=list)
    """Conditions on resources, scopes and log records."""
    traces: TraceFilters = Field(default_factory=TraceFilters)
    """The older form of trace_conditions."""
    metrics: MetricFilters = Field(default_factory=MetricFilters)
    """The older forms of metric_conditions."""
    logs: LogFilters = Field(default_factory=LogFilters)
    """The older forms of log_conditions."""
    spans: SpanMatch = Field(default_factory=SpanMatch)
    """The oldest form of trace_conditions."""

    @field_validator("trace_conditions", "metric_conditions", "log_conditions")
    @classmethod
    def _check_conditions(cls, entries: list[Entry], info: ValidationInfo) -> list[Entry]:
        signal = _SIGNALS[info.field_name or ""]
        attempts: list[tuple[Rename, Callable[[], object]]] = []
        for index, entry in enumerate(entries):
            if isinstance(entry, str):
                attempts.append((partial(_at, (index,)), partial(_compile, entry, "", signal)))
                continue
            if entry.context:
                place = partial(_at, (index, "context"))
                attempts.append((place, partial(check_context, entry.context, signal)))
            for inner, text in enumerate(entry.conditions):
                place = partial(_at, (index, "conditions", inner))
                attempts.append((place, partial(_compile, text, entry.context or "", signal)))
        check_texts(attempts)
        return entries

    @model_validator(mode="after")
    def _check_forms(self) -> "FilterFields":
        old = {
            "trace_conditions": (self.traces, ("resource", "span", "spanevent")),
            "metric_conditions": (
                self.metrics,
                ("resource", "metric", "datapoint", "include", "exclude"),
            ),
            "log_conditions": (self.logs, ("resource", "log_record", "include", "exclude")),
        }
        for field, (section, names) in old.items():
            given = [name for name in names if getattr(section, name) is not None]
            if field in self.model_fields_set and given:
                label = field.removesuffix("_conditions") + "s"
                raise ValueError(f"{field} and {label}.{given[0]} cannot be used together")
            _check_entries(field, getattr(self, field))
        self._check_generations()
        return self

    def _check_generations(self) -> None:
        for label, conditions, matchers in (
            ("traces", self.traces, self.spans),
            ("metrics", self.metrics, self.metrics),
            ("logs", self.logs, self.logs),
        ):
            names = set(type(conditions).model_fields) - {"include", "exclude", "regexp"}
            written = [name for name in sorted(names) if getattr(conditions, name) is not None]
            if written and (matchers.include is not None or matchers.exclude is not None):
                message = f"{label}.{written[0]} and include or exclude cannot be used together"
                raise ValueError(message)


def _compile(text: str, context: str, signal: Signal) -> None:
    Conditions(context or infer_condition(text, signal), [text], prefixed=not context)


def _at(place: Location, within: Location) -> Location:
    """The place of a text that is compiled alone, whatever its place *within* that."""
    return place


def _check_entries(field: str, entries: list[Entry]) -> None:
    kinds = {_kind(entry) for entry in entries}
    if len(kinds) > 1:
        raise ValueError(
            f"{field}: plain conditions and groups cannot be mixed: use one of the two"
        )
