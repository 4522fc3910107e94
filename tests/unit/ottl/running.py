"""Running pieces of OTTL in tests: one expression, or statements over one span."""

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.core import Signal
from bridge.ottl import Cursor, ErrorMode, OttlError, Payload, Statements, schema
from bridge.ottl.codec import encode_pairs
from bridge.ottl.compiler import Compiler
from bridge.ottl.contexts import CONTEXTS
from bridge.ottl.functions import STATEMENT_FUNCTIONS
from bridge.ottl.parser import parse_statement


def a_span(attributes: Mapping[str, Any] | None = None, **fields: Any) -> bytes:
    """A span with these attributes and fields."""
    span = schema.Span(**fields)
    span.attributes.extend(encode_pairs(dict(attributes or {})))
    raw: bytes = span.SerializeToString()
    return raw


def cursor_at(item: bytes, signal: Signal = Signal.TRACES, **resource: Any) -> Cursor:
    """A cursor at the one item of a request; *resource* are the attributes of its resource."""
    request = schema.Request()
    group = request.resources.add()
    made = schema.Resource()
    made.attributes.extend(encode_pairs(resource))
    group.resource = made.SerializeToString()
    group.scopes.add().items.append(item)
    cursor = Cursor(Payload(request.SerializeToString(), signal))
    assert cursor.payload is not None
    cursor.resource = cursor.payload.resources[0]
    cursor.scope = cursor.resource.scopes[0]
    cursor.item = cursor.scope.items[0]
    for node in (cursor.resource, cursor.scope, cursor.item):
        node.parse()
    return cursor


def value_of(text: str, cursor: Cursor | None = None, context: str = "span") -> Any:
    """
    What an expression gives for an item, by default for an empty span.

    Raises:
        OttlSyntaxError: If it cannot run.
        OttlError: If it fails.
    """
    statement = parse_statement(f'set(cache["result"], {text})')
    compiler = Compiler(CONTEXTS[context], STATEMENT_FUNCTIONS)
    expression = compiler.value(statement.editor.arguments[1].value)
    return expression.get(cursor or cursor_at(b""))


def attributes_after(
    attributes: Mapping[str, Any], *statements: str, conditions: Sequence[str] = ()
) -> dict[str, Any]:
    """
    The attributes of a span after statements ran over it.

    Raises:
        OttlError: If one of them fails.
    """
    cursor = cursor_at(a_span(attributes))
    run(cursor, *statements, conditions=conditions)
    assert cursor.payload is not None
    (item,) = Payload(cursor.payload.dump(), Signal.TRACES).resources[0].scopes[0].items
    found: dict[str, Any] = item.attributes.to_map()
    return found


def run(
    cursor: Cursor, *statements: str, context: str = "span", conditions: Sequence[str] = ()
) -> None:
    """
    Run statements over the payload of *cursor*.

    Raises:
        OttlError: If one of them fails.
    """
    assert cursor.payload is not None
    group = Statements(
        cursor.payload.signal,
        list(statements),
        ErrorMode.PROPAGATE,
        context=context,
        conditions=conditions,
    )
    try:
        group.run(cursor)
    except OttlError as error:
        raise error.__cause__ or error from None
