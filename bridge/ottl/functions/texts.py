"""Converters of texts."""

from collections.abc import Callable
from typing import Any

from bridge.ottl import gotext
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get, Place, Test
from bridge.ottl.functions.registry import function, maybe, need, several
from bridge.ottl.regex import Pattern, to_bytes, to_text
from bridge.ottl.signature import Kind
from bridge.ottl.sprintf import sprintf
from bridge.ottl.texts import substring, to_camel, to_snake
from bridge.ottl.values import TypedList

RESULT_LENGTH_MAX = 1 << 20
"""Characters that `Concat` may give, and pieces that `Split` may."""


@function("IsMatch", need("target", Kind.STRING_LIKE), need("pattern", Kind.STRING))
def is_match(target: Expression, pattern: Expression) -> Get:
    """Whether a value's text contains a match of a regular expression; nil does not."""
    compiled = Pattern(pattern)
    fixed, read = compiled.fixed, target.get
    if fixed is None:

        def get_dynamic(cursor: Cursor) -> bool:
            matches = compiled.matcher(cursor)
            text = read(cursor)
            return text is not None and matches(text)

        return get_dynamic

    def get(cursor: Cursor) -> bool:
        text = read(cursor)
        return text is not None and fixed(text)

    source = getattr(target, "source", target)
    if isinstance(source, Place) and source.safe:
        needles = None if source.needle is None else ((source.needle,),)
        probe = source.glance and source.glance(lambda value: _matches(value, fixed))
        get.test = Test(get, needles=needles, probe=probe)  # type: ignore[attr-defined]  # a hint for conditions
    return get


def _matches(value: Any, matches: Callable[[str], bool]) -> bool:
    text = gotext.to_text(value)
    return text is not None and matches(text)


@function("Concat", several("vals", Kind.STRING_LIKE), need("delimiter", Kind.STRING))
def concat(vals: list[Expression], delimiter: Expression) -> Get:
    """The texts of several values, joined; nil is written ``<nil>``."""
    reads, read_delimiter = [value.get for value in vals], delimiter.get

    def get(cursor: Cursor) -> str:
        between = read_delimiter(cursor)
        texts = ["<nil>" if (text := read(cursor)) is None else text for read in reads]
        joined: str = between.join(texts)
        if len(joined) > RESULT_LENGTH_MAX:
            raise OttlError(f"a joined text may have {RESULT_LENGTH_MAX} characters")
        return joined

    return get


@function("Format", need("format", Kind.TEXT), several("vals", Kind.VALUE))
def format_values(format: str, vals: list[Expression]) -> Get:
    """The values written by Go's verbs."""
    reads = [value.get for value in vals]
    return lambda cursor: sprintf(format, [read(cursor) for read in reads])


@function("Split", need("target", Kind.STRING), need("delimiter", Kind.STRING))
def split(target: Expression, delimiter: Expression) -> Get:
    """The pieces of a text between delimiters."""

    def get(cursor: Cursor) -> list[str]:
        text, between = target.get(cursor), delimiter.get(cursor)
        if len(text) > RESULT_LENGTH_MAX:
            raise OttlError(f"a text to split may have {RESULT_LENGTH_MAX} characters")
        return TypedList(text.split(between) if between else list(text))

    return get


@function(
    "Substring",
    need("target", Kind.STRING),
    need("start", Kind.INT),
    need("length", Kind.INT),
    maybe("utf8_safe", Kind.FLAG),
)
def cut(target: Expression, start: Expression, length: Expression, utf8_safe: bool = False) -> Get:
    """So many bytes of a text from a start."""

    def get(cursor: Cursor) -> str:
        first = start.get(cursor)
        if first < 0:
            raise OttlError(f"start {first} is negative")
        count = length.get(cursor)
        if count <= 0:
            raise OttlError(f"length {count} is not positive")
        piece = substring(target.get(cursor), first, count, whole=utf8_safe)
        if piece is None:
            raise OttlError(f"the text is shorter than {first} + {count} bytes")
        return piece

    return get


def _mapped(target: Expression, change: Callable[[str], Any]) -> Get:
    read = target.get
    return lambda cursor: change(read(cursor))


@function("ToLowerCase", need("target", Kind.STRING))
def to_lower_case(target: Expression) -> Get:
    """The text in lower case."""
    return _mapped(target, _lower)


@function("ToUpperCase", need("target", Kind.STRING))
def to_upper_case(target: Expression) -> Get:
    """The text in upper case."""
    return _mapped(target, _upper)


@function("ToSnakeCase", need("target", Kind.STRING))
def to_snake_case(target: Expression) -> Get:
    """The text in snake_case."""
    return _mapped(target, to_snake)


@function("ToCamelCase", need("target", Kind.STRING))
def to_camel_case(target: Expression) -> Get:
    """The text in CamelCase."""
    return _mapped(target, to_camel)


def _lower(text: str) -> str:
    # Go maps character by character; Python's rules for final sigma and the like look around.
    # Go's one character for the dotted capital I; Python has two.
    plain = text.replace("\u0130", "i")
    return "".join(_single(character, character.lower()) for character in plain)


def _upper(text: str) -> str:
    return "".join(_single(character, character.upper()) for character in text)


def _single(character: str, changed: str) -> str:
    """*changed* unless it is several characters, as the upper case of ß would be."""
    return changed if len(changed) == 1 else character


_CASES: dict[str, Callable[[str], str]] = {
    "lower": _lower,
    "upper": _upper,
    "snake": to_snake,
    "camel": to_camel,
}


@function("ConvertCase", need("target", Kind.STRING), need("to_case", Kind.TEXT))
def convert_case(target: Expression, to_case: str) -> Get:
    """The text in lower, upper, snake or camel case."""
    if to_case not in _CASES:
        raise ValueError(f"case {to_case!r} is none of {', '.join(_CASES)}")
    return _mapped(target, _CASES[to_case])


def _pair(target: Expression, other: Expression, answer: Callable[[str, str], Any]) -> Get:
    read, read_other = target.get, other.get
    return lambda cursor: answer(read(cursor), read_other(cursor))


@function("HasPrefix", need("target", Kind.STRING), need("prefix", Kind.STRING))
def has_prefix(target: Expression, prefix: Expression) -> Get:
    """Whether a text begins with another."""
    return _pair(target, prefix, str.startswith)


@function("HasSuffix", need("target", Kind.STRING), need("suffix", Kind.STRING))
def has_suffix(target: Expression, suffix: Expression) -> Get:
    """Whether a text ends with another."""
    return _pair(target, suffix, str.endswith)


@function("TrimPrefix", need("target", Kind.STRING), need("prefix", Kind.STRING))
def trim_prefix(target: Expression, prefix: Expression) -> Get:
    """The text without a beginning."""
    return _pair(target, prefix, str.removeprefix)


@function("TrimSuffix", need("target", Kind.STRING), need("suffix", Kind.STRING))
def trim_suffix(target: Expression, suffix: Expression) -> Get:
    """The text without an end."""
    return _pair(target, suffix, str.removesuffix)


@function("Trim", need("target", Kind.STRING), maybe("replacement", Kind.TEXT))
def trim(target: Expression, replacement: str = " ") -> Get:
    """The text without blanks, or the given characters, at both ends."""
    return _mapped(target, lambda text: text.strip(replacement) if replacement else text)


@function("ExtractPatterns", need("target", Kind.STRING), need("pattern", Kind.STRING))
def extract_patterns(target: Expression, pattern: Expression) -> Get:
    """What the named groups of a regular expression matched, as a map."""
    compiled = Pattern(pattern)

    def get(cursor: Cursor) -> dict[str, str]:
        expression = compiled.compiled(cursor)
        if not expression.groupindex:
            raise OttlError("the pattern has no named group")
        found = expression.search(to_bytes(target.get(cursor)))
        if not found:
            return {}
        return {
            to_text(name): to_text(found.group(index) or b"")
            for name, index in sorted(expression.groupindex.items(), key=lambda pair: pair[1])
        }

    return get
