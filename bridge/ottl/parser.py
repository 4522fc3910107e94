"""Text to tree: the grammar of ``grammar.lark`` and errors with a caret."""

from functools import cache
from importlib.resources import files
from typing import Any, TypeVar, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError
from lark.tree import Meta
from lark.visitors import v_args

from bridge.ottl import tree
from bridge.ottl.errors import OttlSyntaxError
from bridge.ottl.shapes import check_condition, check_statement
from bridge.ottl.unquote import unquote

STATEMENT_LENGTH_MAX = 64 * 1024
"""Characters of one statement: far above what people write, low enough to parse at once."""

NESTING_MAX = 100
"""Depth of brackets in one statement, so that the walks over a tree need no deep stack."""

_Parsed = TypeVar("_Parsed", tree.Statement, tree.Condition)


def parse_statement(text: str) -> tree.Statement:
    """
    Read ``editor(arguments) where condition``.

    Raises:
        OttlSyntaxError: With line, column and caret.
    """
    return _parse(text, "statement", tree.Statement)


def parse_condition(text: str) -> tree.Condition:
    """
    Read a condition as the filter processor has it.

    Raises:
        OttlSyntaxError: With line, column and caret.
    """
    return _parse(text, "condition", tree.Condition)


def _parse(text: str, start: str, _kind: type[_Parsed]) -> _Parsed:
    if len(text) > STATEMENT_LENGTH_MAX:
        raise OttlSyntaxError(f"a statement may have {STATEMENT_LENGTH_MAX} characters at most")
    _check_nesting(text)
    try:
        parsed = _Builder(text).transform(_lark().parse(text, start=start))
    except UnexpectedInput as error:
        raise _explain(error, text) from None
    except VisitError as error:
        if isinstance(error.orig_exc, OttlSyntaxError):
            raise error.orig_exc.within(text) from None
        raise
    if isinstance(parsed, tree.Statement):
        check_statement(parsed)
    else:
        check_condition(parsed)
    return cast(_Parsed, parsed)


@cache
def _lark() -> Lark:
    grammar = files("bridge.ottl").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        parser="lalr",
        # Words such as `not` are reserved everywhere, as in Go.
        lexer="basic",
        start=["statement", "condition"],
        propagate_positions=True,
        maybe_placeholders=False,
    )


def _check_nesting(text: str) -> None:
    depth = 0
    for offset, character in enumerate(text):
        if character in "([{":
            depth += 1
            if depth > NESTING_MAX:
                message = f"brackets are nested more than {NESTING_MAX} deep"
                raise OttlSyntaxError(message, text, offset)
        elif character in ")]}":
            depth -= 1


_NAMES = {
    "LOWER": "a path or editor",
    "UPPER": "a converter or enum",
    "INT": "an int",
    "FLOAT": "a float",
    "BYTES": "bytes (0x..)",
    "STRING": '"text"',
    "NIL": "nil",
    "TRUE": "true",
    "FALSE": "false",
    "NOT": "not",
    "COMPARE": "a comparison",
    "SIGN": "+ or -",
    "TIMES": "* or /",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "LBRACE": "{",
    "RBRACE": "}",
    "COMMA": ",",
    "DOT": ".",
    "COLON": ":",
    "EQUAL": "=",
    "WHERE": "where",
    "AND": "and",
    "OR": "or",
    "$END": "the end",
}


def _explain(error: UnexpectedInput, text: str) -> OttlSyntaxError:
    expected: set[str]
    offset: int | None
    if isinstance(error, UnexpectedCharacters):
        offset = error.pos_in_stream
        message = f"unexpected {text[offset:][:1]!r}"
        expected = set(error.allowed or ())
    elif isinstance(error, UnexpectedToken):
        ended = error.token.type == "$END"
        offset = len(text.rstrip()) if ended else error.pos_in_stream
        message = "unexpected end" if ended else f"unexpected {str(error.token)!r}"
        expected = set(error.accepts or error.expected)
    else:
        return OttlSyntaxError("cannot be read", text, error.pos_in_stream)
    wanted = sorted(_NAMES.get(name, name.lower()) for name in expected)
    return OttlSyntaxError(f"{message}, expected {' or '.join(wanted)}", text, offset)


@v_args(meta=True)
class _Builder(Transformer[Token, Any]):
    """Lark's parse tree to ours."""

    def __init__(self, text: str) -> None:
        super().__init__(visit_tokens=False)
        self._text = text

    def statement(self, meta: Meta, parts: list[Any]) -> tree.Statement:
        return tree.Statement(self._text, parts[0], parts[1] if len(parts) > 1 else None)

    def condition(self, meta: Meta, parts: list[Any]) -> tree.Condition:
        return tree.Condition(self._text, parts[0])

    def either(self, meta: Meta, parts: list[Any]) -> tree.Either:
        return tree.Either(tuple(parts), meta.start_pos)

    def both(self, meta: Meta, parts: list[Any]) -> tree.Both:
        return tree.Both(tuple(parts), meta.start_pos)

    def negated(self, meta: Meta, parts: list[Any]) -> tree.Negated:
        return tree.Negated(parts[1], meta.start_pos)

    def compared(self, meta: Meta, parts: list[Any]) -> tree.Compared:
        return tree.Compared(str(parts[1]), parts[0], parts[2], meta.start_pos)

    def calculated(self, meta: Meta, parts: list[Any]) -> tree.Calculated:
        return tree.Calculated(str(parts[1]), parts[0], parts[2], meta.start_pos)

    def signed(self, meta: Meta, parts: list[Any]) -> tree.Signed:
        return tree.Signed(str(parts[0]), parts[1], meta.start_pos)

    def group(self, meta: Meta, parts: list[Any]) -> tree.Group:
        return tree.Group(parts[0], meta.start_pos)

    def symbol(self, meta: Meta, parts: list[Any]) -> tree.Symbol:
        return tree.Symbol(str(parts[0]), meta.start_pos)

    def integer(self, meta: Meta, parts: list[Any]) -> tree.Literal:
        digits = str(parts[0])
        # A leading zero makes an octal number, as in Go.
        octal = len(digits) > 1 and digits[0] == "0"
        if octal and set(digits) - set("01234567"):
            message = f"{digits} begins with 0 but is no octal number"
            raise OttlSyntaxError(message, self._text, meta.start_pos)
        value = int(digits, 8 if octal else 10)
        if value > _INT_MAX:
            raise OttlSyntaxError("an int has 64 bits at most", self._text, meta.start_pos)
        return tree.Literal(value, meta.start_pos)

    def decimal(self, meta: Meta, parts: list[Any]) -> tree.Literal:
        return tree.Literal(float(parts[0]), meta.start_pos)

    def binary(self, meta: Meta, parts: list[Any]) -> tree.Literal:
        digits = str(parts[0])[2:]
        if len(digits) % 2:
            message = "bytes need an even number of hex digits"
            raise OttlSyntaxError(message, self._text, meta.start_pos)
        return tree.Literal(bytes.fromhex(digits), meta.start_pos)

    def text(self, meta: Meta, parts: list[Any]) -> tree.Literal:
        return tree.Literal(self._unquote(parts[0]), meta.start_pos)

    def truth(self, meta: Meta, parts: list[Any]) -> tree.Literal:
        return tree.Literal(True, meta.start_pos)

    def falsehood(self, meta: Meta, parts: list[Any]) -> tree.Literal:
        return tree.Literal(False, meta.start_pos)

    def nothing(self, meta: Meta, parts: list[Any]) -> tree.Literal:
        return tree.Literal(None, meta.start_pos)

    def items(self, meta: Meta, parts: list[Any]) -> tree.Items:
        return tree.Items(tuple(parts), meta.start_pos)

    def entries(self, meta: Meta, parts: list[Any]) -> tree.Entries:
        return tree.Entries(tuple(parts), meta.start_pos)

    def entry(self, meta: Meta, parts: list[Any]) -> tuple[str, tree.Value]:
        return self._unquote(parts[0]), parts[1]

    def path(self, meta: Meta, parts: list[Any]) -> tree.Path:
        return tree.Path(tuple(parts), meta.start_pos)

    def segment(self, meta: Meta, parts: list[Any]) -> tree.Segment:
        name = str(parts[0])
        if name.lower() != name:
            message = f"{name!r} is no path: paths are written in lower case"
            raise OttlSyntaxError(message, self._text, meta.start_pos)
        return tree.Segment(name, tuple(parts[1:]), meta.start_pos)

    def key(self, meta: Meta, parts: list[Any]) -> "_Key":
        return parts[0]

    def call(self, meta: Meta, parts: list[Any]) -> tree.Call:
        arguments = tuple(part for part in parts[1:] if isinstance(part, tree.Argument))
        keys = tuple(part for part in parts[1:] if not isinstance(part, tree.Argument))
        return tree.Call(str(parts[0]), arguments, keys, meta.start_pos)

    def argument(self, meta: Meta, parts: list[Any]) -> tree.Argument:
        return tree.Argument(parts[0], "", meta.start_pos)

    def named(self, meta: Meta, parts: list[Any]) -> tree.Argument:
        return tree.Argument(parts[1], str(parts[0]), meta.start_pos)

    def _unquote(self, token: Token) -> str:
        try:
            return unquote(str(token))
        except ValueError as error:
            raise OttlSyntaxError(str(error), self._text, token.start_pos) from None


_Key = Any
_INT_MAX = 2**63 - 1
