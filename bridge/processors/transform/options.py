"""The config of the transform processor, in the Collector's spelling."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from bridge.core import Signal
from bridge.options import Options
from bridge.ottl import ErrorMode, Location, Statements
from bridge.processors._statements import Rename, check_texts
from bridge.processors._texts import Texts


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Mode = Annotated[Literal["ignore", "silent", "propagate"], BeforeValidator(_lower)]
"""``ignore`` logs a failure and goes on, ``silent`` goes on, ``propagate`` refuses the request."""

ContextName = Annotated[
    Literal["resource", "scope", "span", "spanevent", "metric", "datapoint", "log"],
    BeforeValidator(_lower),
]


class StatementGroup(Options):
    """Statements that run together, for items that meet any of some conditions."""

    context: ContextName | None = None
    """The context of the statements; found from their paths if it is not given."""
    conditions: Texts = Field(default_factory=list)
    """The statements run for an item if any of these holds; always if there are none."""
    statements: Texts = Field(default_factory=list)
    """OTTL statements, run in order."""
    error_mode: Mode | None = None
    """What follows if a statement fails; the processor's error_mode if it is not given."""


def entry_kind(value: Any) -> str:
    """Whether an entry of a list is a plain text or a group."""
    return "text" if isinstance(value, str) else "group"


Entry = Annotated[
    Annotated[str, Tag("text")] | Annotated[StatementGroup, Tag("group")],
    Discriminator(entry_kind),
]


_SIGNALS = {
    "trace_statements": Signal.TRACES,
    "metric_statements": Signal.METRICS,
    "log_statements": Signal.LOGS,
}


class TransformOptions(Options):
    """
    Change telemetry by OTTL statements.

    Plain statements name the context in every path and form one group together; a group may say its
    context.
    """

    error_mode: Mode = "ignore"
    """What follows if a statement fails on an item: ignore (log and go on), silent, propagate."""
    trace_statements: list[Entry] = Field(default_factory=list)
    """Statements, or groups of them, for traces."""
    metric_statements: list[Entry] = Field(default_factory=list)
    """Statements, or groups of them, for metrics."""
    log_statements: list[Entry] = Field(default_factory=list)
    """Statements, or groups of them, for logs."""

    flatten_data: Literal[False] = False
    """Only false: records of one resource are never regrouped here."""

    @field_validator("trace_statements", "metric_statements", "log_statements")
    @classmethod
    def _check_style(cls, entries: list[Entry]) -> list[Entry]:
        seen_text = False
        for entry in entries:
            if isinstance(entry, str):
                seen_text = True
            elif seen_text:
                raise ValueError("plain statements and groups cannot be mixed: use one of the two")
        return entries

    @field_validator("trace_statements", "metric_statements", "log_statements")
    @classmethod
    def _check_statements(cls, entries: list[Entry], info: ValidationInfo) -> list[Entry]:
        signal = _SIGNALS[info.field_name or ""]
        groups = [(index, one) for index, one in enumerate(entries) if not isinstance(one, str)]
        plain = [index for index, one in enumerate(entries) if isinstance(one, str)]
        attempts: list[tuple[Rename, Callable[[], object]]] = [
            (partial(_in_group, index), partial(_compile, group, signal)) for index, group in groups
        ]
        if plain:
            texts = [one for one in entries if isinstance(one, str)]
            group = StatementGroup(statements=texts)
            attempts.append((partial(_in_list, plain), partial(_compile, group, signal)))
        check_texts(attempts)
        return entries

    def groups(self, signal: Signal) -> list[StatementGroup]:
        """The groups for a signal; plain statements are the last one."""
        entries: Sequence[str | StatementGroup] = {
            Signal.TRACES: self.trace_statements,
            Signal.METRICS: self.metric_statements,
            Signal.LOGS: self.log_statements,
        }[signal]
        groups = [entry for entry in entries if isinstance(entry, StatementGroup)]
        texts = [entry for entry in entries if isinstance(entry, str)]
        if texts:
            groups.append(StatementGroup(statements=texts))
        return groups

    def compile(self, group: StatementGroup, signal: Signal, reporter: Any = None) -> Statements:
        """
        Compile a group.

        Args:
            reporter:
                Gives the function that is told of failures, by error mode.

        Raises:
            OttlSyntaxErrors: If statements cannot run.
        """
        mode = ErrorMode(group.error_mode or self.error_mode)
        told = {} if reporter is None else {"on_error": reporter.of(mode)}
        return _compile(group, signal, mode, **told)


def _compile(
    group: StatementGroup, signal: Signal, mode: ErrorMode = ErrorMode.IGNORE, **told: Any
) -> Statements:
    return Statements(
        signal,
        group.statements,
        mode,
        context=group.context or "",
        conditions=group.conditions,
        **told,
    )


def _in_group(index: int, place: Location) -> Location:
    return (index, *place)


def _in_list(indexes: list[int], place: Location) -> Location:
    """Plain statements stand in the list itself."""
    return tuple(indexes[int(step)] for step in place[1:])
