"""
Trees to programs: paths, functions and operators become functions of a `Cursor`.

Everything that can be known beforehand is decided here: types of literals, constant conditions,
which bytes an item must contain for a condition to hold.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.ottl import tree
from bridge.ottl.arithmetic import calculate, negate
from bridge.ottl.conditions import combine_all, combine_any, compare, from_converter, invert
from bridge.ottl.contexts import Context
from bridge.ottl.contexts.fields import Segment, Segments, cache, look_up
from bridge.ottl.errors import OttlError, OttlSyntaxError
from bridge.ottl.expressions import Cursor, Expression, Get, Place, Run, Test
from bridge.ottl.functions.registry import FUNCTIONS, Reference
from bridge.ottl.keys import Keys, pick
from bridge.ottl.signature import PLACES, RAW_TYPES, Function, Kind, Parameter, typed
from bridge.ottl.values import AnyList, check_raw

CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled statement."""

    text: str
    where: Test
    run: Run


class Compiler:
    """
    Compiles for one context.

    Args:
        context:
            Whose paths and enums there are.
        prefixed:
            Whether every path must name its context, as where the context is inferred.
        functions:
            What may be called here.
    """

    def __init__(
        self, context: Context, functions: Mapping[str, Function], *, prefixed: bool = False
    ) -> None:
        self._context = context
        self._functions = functions
        self._prefixed = prefixed

    def statement(self, statement: tree.Statement) -> Program:
        """
        Compile *statement*.

        Raises:
            OttlSyntaxError: If a path, function, argument or enum is wrong.
        """
        try:
            run = self._call(statement.editor)
            where = Test.always(True) if statement.where is None else self.test(statement.where)
        except OttlSyntaxError as error:
            raise error.within(statement.text) from None
        return Program(statement.text, where, run)

    def condition(self, condition: tree.Condition) -> Test:
        """
        Compile *condition*.

        Raises:
            OttlSyntaxError: If a path, function, argument or enum is wrong.
        """
        try:
            return self.test(condition.test)
        except OttlSyntaxError as error:
            raise error.within(condition.text) from None

    def test(self, node: tree.Value) -> Test:
        """A condition anywhere in a tree."""
        match node:
            case tree.Either():
                return combine_any([self.test(part) for part in node.parts])
            case tree.Both():
                return combine_all([self.test(part) for part in node.parts])
            case tree.Negated():
                return invert(self.test(node.inner))
            case tree.Group():
                return self.test(node.inner)
            case tree.Compared():
                return compare(node.operator, self.value(node.left), self.value(node.right))
            case tree.Literal():
                return Test.always(bool(node.value))
            case tree.Call():
                return from_converter(self.value(node), node.function)
        raise OttlSyntaxError("a condition is expected here", offset=node.at)

    def value(self, node: tree.Value) -> Expression:
        """A value anywhere in a tree."""
        match node:
            case tree.Literal():
                return Expression.constant(node.value)
            case tree.Path():
                return self._path(node)
            case tree.Call():
                return self._converter(node)
            case tree.Symbol():
                return Expression.constant(self._enum(node))
            case tree.Items():
                return _items([self.value(inner) for inner in node.values])
            case tree.Entries():
                return _entries({key: self.value(inner) for key, inner in node.values})
            case tree.Group():
                return self.value(node.inner)
            case tree.Signed():
                return (
                    negate(self.value(node.value)) if node.sign == "-" else self.value(node.value)
                )
            case tree.Calculated():
                return calculate(node.operator, self.value(node.left), self.value(node.right))
        raise OttlSyntaxError("a value is expected here", offset=node.at)

    def _enum(self, node: tree.Symbol) -> int:
        number = self._context.enums.get(node.name)
        if number is None:
            message = f"the {self._context.name} context has no enum {node.name!r}"
            raise OttlSyntaxError(
                message + _nearest(node.name, self._context.enums), offset=node.at
            )
        return number

    def _path(self, path: tree.Path) -> Place:
        segments = tuple(
            Segment(one.name, tuple(self.value(key) for key in one.keys), one.at)
            for one in path.segments
        )
        first = segments[0]
        name = first.name if len(segments) > 1 and not first.keys else ""
        if name in self._context.names:
            segments = segments[1:]
        elif self._prefixed:
            options = " or ".join(f"{known}.{path}" for known in self._context.names[:2])
            message = f"a path begins with its context here: {options}"
            raise OttlSyntaxError(message, offset=path.at)
        else:
            name = self._context.name
        if segments[0].name == CACHE:
            if name != self._context.name:
                message = f"the cache is reached as {self._context.name}.cache here"
                raise OttlSyntaxError(message, offset=path.at)
            place = cache(segments)
        else:
            place = look_up(self._context.fields(name), segments, f"the {name} context")
        # Two names of one context share its fields.
        place.steps = (id(self._context.fields(name)), *_steps(segments))
        return place

    def _converter(self, call: tree.Call) -> Expression:
        get = self._call(call)
        keys: Keys = tuple(self.value(key) for key in call.keys)
        if not keys:
            made = Expression(get)
            made.duration_ns = getattr(get, "duration_ns", None)
            return made

        def get_inside(cursor: Cursor) -> Any:
            return pick(get(cursor), keys, cursor)

        return Expression(get_inside)

    def _call(self, call: tree.Call) -> Get:
        function = self._functions.get(call.function)
        if function is None or (function.contexts and self._context.name not in function.contexts):
            raise OttlSyntaxError(self._unknown(call.function), offset=call.at)
        arguments = self._arguments(call, function)
        try:
            return function.build(**arguments)
        except ValueError as error:
            if isinstance(error, OttlSyntaxError) and error.offset is not None:
                raise
            message = error.message if isinstance(error, OttlSyntaxError) else str(error)
            raise OttlSyntaxError(f"{call.function}: {message}", offset=call.at) from None

    def _unknown(self, name: str) -> str:
        known = FUNCTIONS.get(name)
        if known is not None and known.contexts:
            where = " or ".join(sorted(known.contexts))
            return f"{name} exists in the {where} context only, not in {self._context.name}"
        if known is not None:
            return f"{name} cannot be used here"
        return f"there is no function {name!r}" + _nearest(name, self._functions)

    def _arguments(self, call: tree.Call, function: Function) -> dict[str, Any]:
        parameters = function.parameters
        required = sum(not parameter.optional for parameter in parameters)
        if not required <= len(call.arguments) <= len(parameters):
            takes = ", ".join(map(str, parameters)) or "nothing"
            message = f"{function.name} takes {takes}; {len(call.arguments)} given"
            raise OttlSyntaxError(message, offset=call.at)
        compiled: dict[str, Any] = {}
        for index, argument in enumerate(call.arguments):
            parameter = parameters[index]
            if argument.name:
                parameter = _named(function, argument)
            compiled[parameter.name] = self._argument(argument, parameter)
        missing = [p.name for p in parameters if not p.optional and p.name not in compiled]
        if missing:
            message = f"{function.name} needs {' and '.join(missing)}"
            raise OttlSyntaxError(message, offset=call.at)
        return compiled

    def _argument(self, argument: tree.Argument, parameter: Parameter) -> Any:
        value = argument.value
        try:
            if not parameter.many:
                return self._one(value, parameter.kind)
            if not isinstance(value, tree.Items):
                raise OttlSyntaxError(f"must be a list [...] of {parameter.kind.value}")
            return [self._one(inner, parameter.kind) for inner in value.values]
        except OttlSyntaxError as error:
            if error.offset is not None:
                raise
            message = f"argument {parameter.name}: {error.message}"
            raise OttlSyntaxError(message, offset=value.at) from None

    def _one(self, node: tree.Value, kind: Kind) -> Any:
        if kind in PLACES:
            if not isinstance(node, tree.Path):
                raise OttlSyntaxError("must be a path")
            return self._path(node)
        if kind is Kind.FUNCTION:
            return self._reference(node)
        raw = RAW_TYPES.get(kind)
        if raw is None:
            return typed(self.value(node), kind)
        if isinstance(node, tree.Literal) and type(node.value) is raw:
            return node.value
        raise OttlSyntaxError(f"must be a {kind.value}")

    def _reference(self, node: tree.Value) -> Reference:
        if not isinstance(node, tree.Symbol):
            raise OttlSyntaxError("must be the name of a converter")
        function = self._functions.get(node.name)
        if function is None:
            raise OttlSyntaxError(self._unknown(node.name), offset=node.at)
        return Reference(function)


def _named(function: Function, argument: tree.Argument) -> Parameter:
    spelling = argument.name.replace("_", "").lower()
    for parameter in function.parameters:
        if parameter.spelling == spelling:
            return parameter
    takes = ", ".join(parameter.name for parameter in function.parameters)
    message = f"{function.name} has no parameter {argument.name!r}; it has {takes}"
    raise OttlSyntaxError(message, offset=argument.at)


def _steps(segments: Segments) -> Iterator[object]:
    for segment in segments:
        yield segment.name
        for key in segment.keys:
            yield (key.value,) if key.literal else object()


def _items(values: list[Expression]) -> Expression:
    if all(value.literal for value in values):
        return Expression.constant(AnyList(value.value for value in values))
    gets = [value.get for value in values]
    return Expression(lambda cursor: AnyList(get(cursor) for get in gets))


def _entries(values: dict[str, Expression]) -> Expression:
    if all(value.literal for value in values.values()):
        try:
            return Expression.constant({key: _entry(one.value) for key, one in values.items()})
        except OttlError as error:
            raise OttlSyntaxError(str(error)) from None
    gets = {key: value.get for key, value in values.items()}
    return Expression(lambda cursor: {key: _entry(get(cursor)) for key, get in gets.items()})


def _entry(value: Any) -> Any:
    """*value* as a map that is written in a statement holds it."""
    if isinstance(value, dict):
        return value
    if type(value) is AnyList:
        for inner in value:
            if not isinstance(inner, dict):
                check_raw(inner)
        return list(value)
    check_raw(value)
    return value


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""
