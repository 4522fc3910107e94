"""From the texts of one group to programs: everything that is wrong with them is told at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, TypeVar

from bridge.core import Signal
from bridge.ottl import tree
from bridge.ottl.compiler import Compiler, Program
from bridge.ottl.contexts import CONTEXTS, OF_SIGNAL
from bridge.ottl.errors import Location, OttlSyntaxError, OttlSyntaxErrors, SyntaxFaults
from bridge.ottl.expressions import Test
from bridge.ottl.functions import CONDITION_FUNCTIONS, STATEMENT_FUNCTIONS
from bridge.ottl.inference import infer
from bridge.ottl.parser import parse_condition, parse_statement

STATEMENTS, CONDITIONS = "statements", "conditions"

_Parsed = TypeVar("_Parsed", tree.Statement, tree.Condition)


@dataclass(frozen=True, slots=True)
class Clause:
    """A compiled condition and its text."""

    text: str
    test: Test


@dataclass(frozen=True, slots=True)
class Group:
    """Compiled statements of one context, and the conditions under which they run."""

    context: str
    programs: list[Program]
    clauses: list[Clause]


def compile_conditions(
    context: str, texts: Sequence[str], *, prefixed: bool = False
) -> list[Clause]:
    """
    Compile conditions of one context.

    Args:
        prefixed:
            Whether every path must name its context.

    Raises:
        OttlSyntaxErrors: If some cannot run in the context; their places are
            ``("conditions", index)``.
    """
    faults = SyntaxFaults()
    parsed = _parse(texts, CONDITIONS, parse_condition, faults)
    clauses = _clauses(context, parsed, faults, prefixed=prefixed)
    faults.check()
    return clauses


def compile_group(
    signal: Signal, texts: Sequence[str], conditions: Sequence[str], context: str = ""
) -> Group:
    """
    Compile statements and the conditions under which they run.

    Args:
        context:
            The context, or empty to infer it from the paths.

    Raises:
        OttlSyntaxErrors: If some cannot run; their places are ``("statements", index)`` and
            ``("conditions", index)``, or ``("context",)``, or empty for the group as a whole.
    """
    faults = SyntaxFaults()
    statements = _parse(texts, STATEMENTS, parse_statement, faults)
    tests = _parse(conditions, CONDITIONS, parse_condition, faults)
    inferred, problem = not context, None
    if inferred:
        try:
            hints: list[tree.Statement | tree.Condition] = [*statements.values(), *tests.values()]
            context, problem = infer(hints, signal, STATEMENT_FUNCTIONS)
        except OttlSyntaxError as error:
            # What cannot be read may be what names the context: then only that is told.
            faults.check()
            _refuse(error, texts, conditions)
    elif faults.attempt(("context",), lambda: check_context(context, signal)) is None:
        faults.check()
    compiler = Compiler(CONTEXTS[context], STATEMENT_FUNCTIONS, prefixed=inferred)
    programs = _compile(STATEMENTS, statements, compiler.statement, faults)
    clauses = _clauses(context, tests, faults, prefixed=inferred)
    faults.check()
    if problem is not None:
        _refuse(problem, texts, conditions)
    return Group(context, programs, clauses)


def check_context(context: str, signal: Signal) -> bool:
    """
    Say that a signal has a context.

    Raises:
        OttlSyntaxError: If it has not.
    """
    if context not in OF_SIGNAL[signal]:
        allowed = ", ".join(OF_SIGNAL[signal])
        message = f"context {context!r} is none of those of {signal.value}: {allowed}"
        raise OttlSyntaxError(message)
    return True


def infer_condition(text: str, signal: Signal) -> str:
    """
    The context of a condition that stands alone.

    Raises:
        OttlSyntaxError: If its paths name none, or it has not all that is used.
    """
    context, problem = infer([parse_condition(text)], signal, CONDITION_FUNCTIONS)
    if problem is not None:
        raise problem
    return context


def _parse(
    texts: Sequence[str], kind: str, parse: Callable[[str], _Parsed], faults: SyntaxFaults
) -> dict[int, _Parsed]:
    """The trees of those of *texts* that can be read, by their index."""
    found = {}
    for index, text in enumerate(texts):
        read = faults.attempt((kind, index), partial(parse, text))
        if read is not None:
            found[index] = read
    return found


_Made = TypeVar("_Made", Program, Clause)


def _compile(
    kind: str,
    parsed: Mapping[int, _Parsed],
    make: Callable[[_Parsed], _Made],
    faults: SyntaxFaults,
) -> list[_Made]:
    made = [faults.attempt((kind, index), partial(make, one)) for index, one in parsed.items()]
    return [one for one in made if one is not None]


def _clauses(
    context: str, parsed: Mapping[int, tree.Condition], faults: SyntaxFaults, *, prefixed: bool
) -> list[Clause]:
    compiler = Compiler(CONTEXTS[context], CONDITION_FUNCTIONS, prefixed=prefixed)

    def make(condition: tree.Condition) -> Clause:
        return Clause(condition.text, compiler.condition(condition))

    return _compile(CONDITIONS, parsed, make, faults)


def _refuse(error: OttlSyntaxError, texts: Sequence[str], conditions: Sequence[str]) -> NoReturn:
    """Raise *error* with the place of its text in the group."""
    place: Location = ()
    for kind, some in ((STATEMENTS, texts), (CONDITIONS, conditions)):
        if not place and error.text in some:
            place = kind, some.index(error.text)
    raise OttlSyntaxErrors([(place, error)]) from None
