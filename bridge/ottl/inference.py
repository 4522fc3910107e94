"""Which context statements run in when nobody says: the innermost that their paths name."""

from collections.abc import Iterable, Mapping
from typing import NoReturn

from bridge.core import Signal
from bridge.ottl import tree
from bridge.ottl.contexts import CONTEXTS, OF_SIGNAL
from bridge.ottl.errors import OttlSyntaxError
from bridge.ottl.signature import Function

_PRIORITY = [
    "log",
    "exemplar",
    "datapoint",
    "metric",
    "spanevent",
    "span",
    "profile",
    "scope",
    "instrumentation_scope",
    "resource",
]


def infer(
    parsed: Iterable[tree.Statement | tree.Condition],
    signal: Signal,
    functions: Mapping[str, Function],
) -> tuple[str, OttlSyntaxError | None]:
    """
    The context that can run all of *parsed*, and what it lacks for that.

    The innermost context that a path names is taken. If it lacks a function or enum that is used,
    one further in that has all of them is; if there is none, the first comes with the error.

    Raises:
        OttlSyntaxError: If no path names a context of the signal.
    """
    texts: list[str] = []
    named: list[tuple[str, str, int | None]] = []
    calls: dict[str, tuple[str, int]] = {}
    enums: dict[str, tuple[str, int]] = {}
    for one in parsed:
        texts.append(one.text)
        for node in _nodes(one):
            if isinstance(node, tree.Path):
                named.append((_context_of(node), one.text, node.at))
            elif isinstance(node, tree.Call):
                calls.setdefault(node.function, (one.text, node.at))
            elif isinstance(node, tree.Symbol) and node.is_enum:
                enums.setdefault(node.name, (one.text, node.at))
    nowhere = ("", texts[0] if len(texts) == 1 else "", None)
    chosen, text, at = min(
        (one for one in named if one[0]), key=lambda one: _rank(one[0]), default=nowhere
    )
    allowed = OF_SIGNAL[signal]
    if chosen not in allowed:
        _refuse(chosen, allowed, text, at)
    problem = _lacking(chosen, calls, enums, functions)
    if problem is None:
        return chosen, None
    for deeper in sorted(_deeper(chosen, allowed), key=_rank):
        if _lacking(deeper, calls, enums, functions) is None:
            return deeper, None
    return chosen, problem


def _nodes(one: tree.Statement | tree.Condition) -> Iterable[tree.Value]:
    if isinstance(one, tree.Condition):
        yield from tree.walk(one.test)
        return
    yield from tree.walk(one.editor)
    if one.where is not None:
        yield from tree.walk(one.where)


def _context_of(path: tree.Path) -> str:
    first = path.segments[0]
    return first.name if len(path.segments) > 1 and not first.keys else ""


def _rank(name: str) -> int:
    return _PRIORITY.index(name) if name in _PRIORITY else len(_PRIORITY)


def _refuse(chosen: str, allowed: tuple[str, ...], text: str, at: int | None) -> NoReturn:
    options = ", ".join(f"{name}." for name in allowed)
    if chosen:
        message = f"{chosen} is no context here; paths begin with {options}"
        raise OttlSyntaxError(message, text, at)
    message = f"no path says which context this is about: begin paths with {options}"
    raise OttlSyntaxError(f"{message} or set `context`", text)


def _deeper(chosen: str, allowed: tuple[str, ...]) -> list[str]:
    """The contexts from which *chosen* can be reached."""
    return [name for name in allowed if name != chosen and chosen in CONTEXTS[name].names]


def _lacking(
    name: str,
    calls: dict[str, tuple[str, int]],
    enums: dict[str, tuple[str, int]],
    functions: Mapping[str, Function],
) -> OttlSyntaxError | None:
    """What the context has not, as an error; `None` if it has everything."""
    for call, (text, at) in calls.items():
        function = functions.get(call)
        if function is None:
            message = f"there is no function {call!r}"
            return OttlSyntaxError(message + _did_you_mean(call, functions), text, at)
        if function.contexts and name not in function.contexts:
            where = " or ".join(sorted(function.contexts))
            return OttlSyntaxError(f"{call} exists in the {where} context only", text, at)
    for enum, (text, at) in enums.items():
        if enum not in CONTEXTS[name].enums:
            hint = ""
            if enum in functions:
                hint = "; a converter as an argument needs an explicit `context`"
            return OttlSyntaxError(f"the {name} context has no enum {enum!r}{hint}", text, at)
    return None


def _did_you_mean(name: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""
