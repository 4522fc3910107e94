"""
Where each kind of expression may stand: what the one ladder of the grammar leaves open.

A value is no condition and a condition no value; arithmetic is for numbers, paths and converters;
an editor stands only at the beginning of a statement.
"""

from bridge.ottl.errors import OttlSyntaxError
from bridge.ottl.tree import (
    Both,
    Calculated,
    Call,
    Compared,
    Condition,
    Either,
    Entries,
    Group,
    Items,
    Literal,
    Negated,
    Path,
    Signed,
    Statement,
    Symbol,
    Value,
)


def check_statement(statement: Statement) -> None:
    """
    Check every place of *statement*.

    Raises:
        OttlSyntaxError: At the first piece that may not stand where it stands.
    """
    editor, text = statement.editor, statement.text
    if not editor.is_editor:
        message = f"editor names start with a lower-case letter, {editor.function!r} does not"
        raise OttlSyntaxError(message, text, editor.at)
    if editor.keys:
        raise OttlSyntaxError("only paths and converters may be indexed", text, editor.at)
    _check_arguments(editor, text)
    if statement.where is not None:
        _check_test(statement.where, text)


def check_condition(condition: Condition) -> None:
    """
    Check every place of *condition*.

    Raises:
        OttlSyntaxError: At the first piece that may not stand where it stands.
    """
    _check_test(condition.test, condition.text)


def _check_test(node: Value, text: str) -> None:
    match node:
        case Both() | Either():
            for part in node.parts:
                _check_test(part, text)
        case Negated() | Group():
            _check_test(node.inner, text)
        case Compared():
            _check_value(node.left, text)
            _check_value(node.right, text)
        case Literal() if type(node.value) is bool:
            pass
        case Call():
            _check_value(node, text)
        case _:
            message = "a condition needs a comparison here, such as `... == true`"
            raise OttlSyntaxError(message, text, node.at)


def _check_value(node: Value, text: str) -> None:
    match node:
        case Both() | Either() | Negated() | Compared():
            raise OttlSyntaxError("a condition cannot be a value", text, node.at)
        case Call():
            if node.is_editor:
                message = (
                    f"converter names start with an upper-case letter, {node.function!r} does not"
                )
                raise OttlSyntaxError(message, text, node.at)
            _check_arguments(node, text)
            _check_keys(node.keys, text)
        case Path():
            for segment in node.segments:
                _check_keys(segment.keys, text)
        case Items():
            for value in node.values:
                _check_value(value, text)
        case Entries():
            for _, value in node.values:
                _check_value(value, text)
        case Group() | Signed() | Calculated():
            _check_sum(node, text)
        case Symbol() if not node.is_enum:
            message = f"{node.name!r} is neither an enum nor called: write {node.name}(...)"
            raise OttlSyntaxError(message, text, node.at)
        case _:
            pass


def _check_sum(node: Value, text: str) -> None:
    """Arithmetic: numbers, paths, converters and parentheses around such."""
    match node:
        case Calculated():
            _check_sum(node.left, text)
            _check_sum(node.right, text)
        case Signed():
            _check_sum(node.value, text)
        case Group():
            _check_sum(node.inner, text)
        case Path() | Call():
            _check_value(node, text)
        case Literal() if type(node.value) in (int, float):
            pass
        case _:
            message = "arithmetic takes numbers, paths and converters only"
            raise OttlSyntaxError(message, text, node.at)


def _check_keys(keys: tuple[Value, ...], text: str) -> None:
    for key in keys:
        if isinstance(key, Literal) and type(key.value) is str:
            continue
        if isinstance(key, Calculated) and isinstance(_leftmost(key), Literal):
            # The Collector reads the int, and then wants the bracket.
            message = "an index that is calculated cannot begin with a number"
            raise OttlSyntaxError(message, text, key.at)
        _check_sum(key, text)


def _leftmost(node: Value) -> Value:
    while isinstance(node, Calculated):
        node = node.left
    return node


def _check_arguments(call: Call, text: str) -> None:
    named = False
    for argument in call.arguments:
        if argument.name:
            named = True
        elif named:
            raise OttlSyntaxError("an unnamed argument follows a named one", text, argument.at)
        # A bare name may stand for a function here: the signature decides.
        if not isinstance(argument.value, Symbol):
            _check_value(argument.value, text)
