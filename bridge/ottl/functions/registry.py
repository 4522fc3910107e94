"""The table of functions, how one is entered into it, and functions given as arguments."""

from collections.abc import Callable
from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get
from bridge.ottl.signature import Function, Kind, Parameter

FUNCTIONS: dict[str, Function] = {}
"""Every editor and converter by name."""

_Build = Callable[..., Get]


def function(
    name: str,
    *parameters: Parameter,
    contexts: tuple[str, ...] = (),
    in_statements: bool = True,
    in_conditions: bool = True,
) -> Callable[[_Build], _Build]:
    """Enter the decorated builder under *name*; its docstring's first line is the reference."""

    def enter(build: _Build) -> _Build:
        summary = (build.__doc__ or "").strip().split("\n")[0]
        FUNCTIONS[name] = Function(
            name,
            parameters,
            build,
            summary,
            frozenset(contexts),
            in_statements,
            in_conditions,
        )
        return build

    return enter


def need(name: str, kind: Kind) -> Parameter:
    """A required parameter."""
    return Parameter(name, kind)


def maybe(name: str, kind: Kind) -> Parameter:
    """An optional parameter."""
    return Parameter(name, kind, optional=True)


def several(name: str, kind: Kind, *, optional: bool = False) -> Parameter:
    """A parameter that takes a list in brackets."""
    return Parameter(name, kind, many=True, optional=optional)


class Reference:
    """A converter given as an argument, applied to texts that are found while running."""

    __slots__ = ("_function", "_input", "_run")

    def __init__(self, target: Function) -> None:
        self._function = target
        self._input = ""
        self._run: Get | None = None

    def apply(self, text: str, cursor: Cursor) -> Any:
        """
        What the converter gives for *text*.

        Raises:
            OttlError: If it takes other than one string, or fails.
        """
        if self._run is None:
            parameters = self._function.parameters
            if len(parameters) != 1 or parameters[0].kind is not Kind.STRING:
                raise OttlError(f"{self._function.name} does not take exactly one string")
            argument = Expression(lambda cursor: self._input)
            self._run = self._function.build(**{parameters[0].name: argument})
        self._input = text
        return self._run(cursor)
