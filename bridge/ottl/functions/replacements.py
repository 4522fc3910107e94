"""Editors that replace inside texts, by regular expression or by glob."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Place, Run
from bridge.ottl.functions.editors import map_of
from bridge.ottl.functions.registry import Reference, function, maybe, need
from bridge.ottl.regex import (
    Pattern,
    Template,
    expand,
    find_all,
    parse_template,
    remember,
    replace,
    to_bytes,
    to_text,
)
from bridge.ottl.signature import Kind
from bridge.ottl.texts import glob_to_regex

TEMPLATES_MAX = 64
"""Replacements that stay taken apart for one place."""

_PATTERN_PARAMETERS = (
    need("regex_pattern", Kind.STRING),
    need("replacement", Kind.STRING),
    maybe("function", Kind.FUNCTION),
    maybe("replacement_format", Kind.STRING),
)
_MATCH_PARAMETERS = (
    need("pattern", Kind.STRING),
    need("replacement", Kind.STRING),
    maybe("function", Kind.FUNCTION),
    maybe("replacement_format", Kind.STRING),
)


class _Replacer:
    """A pattern, what replaces its matches, and the function and format between."""

    def __init__(
        self,
        pattern: Expression,
        replacement: Expression,
        function: Reference | None,
        replacement_format: Expression | None,
    ) -> None:
        self._pattern = Pattern(pattern)
        self._replacement = replacement
        self._function = function
        self._format = replacement_format
        self._template = lru_cache(maxsize=TEMPLATES_MAX)(parse_template)
        self._fixed: tuple[Any, Template] | None = None

    def prepare(self, cursor: Cursor) -> Callable[[str], str | None]:
        """A function from a text to the replaced one; `None` where nothing matches."""
        compiled = self._pattern.compiled(cursor)
        template = self._template(self._replacement.get(cursor), compiled)
        if self._function is None:
            return lambda text: replace(compiled, template, text)
        return lambda text: self._through_function(compiled, template, text, cursor)

    def _through_function(
        self, compiled: Any, template: Template, text: str, cursor: Cursor
    ) -> str | None:
        data = to_bytes(text)
        matches = find_all(compiled, data)
        if not matches:
            return None
        pieces: list[bytes] = []
        position = 0
        for spans in matches:
            changed = through(self._function, to_text(expand(template, data, spans)), cursor)
            changed = apply_format(self._format, changed, cursor)
            pieces += (data[position : spans[0][0]], to_bytes(changed))
            position = spans[0][1]
        pieces.append(data[position:])
        return to_text(b"".join(pieces))


def through(reference: Reference | None, text: str, cursor: Cursor) -> str:
    """
    What the converter gives for *text*.

    Raises:
        OttlError: If that is no string.
    """
    if reference is None:
        return text
    changed = reference.apply(text, cursor)
    if type(changed) is not str:
        raise OttlError("the replacement function must give a string")
    return changed


def apply_format(layout: Expression | None, text: str, cursor: Cursor) -> str:
    """
    *text* put into a format with one ``%s``.

    Raises:
        OttlError: If the format has no ``%s``, or other verbs.
    """
    if layout is None:
        return text
    pattern: str = layout.get(cursor)
    if "%s" not in pattern or pattern.replace("%s", "").count("%") or "\n" in pattern:
        raise OttlError("replacement_format must hold %s and no other verb")
    first, *rest = pattern.split("%s")
    return first + text + "%!s(MISSING)".join(rest)


@function("replace_pattern", need("target", Kind.PLACE), *_PATTERN_PARAMETERS)
def replace_pattern(
    target: Place,
    regex_pattern: Expression,
    replacement: Expression,
    function: Reference | None = None,
    replacement_format: Expression | None = None,
) -> Run:
    """Replace what matches a regular expression in a text."""
    replacer = _Replacer(regex_pattern, replacement, function, replacement_format)
    constant = regex_pattern.literal and replacement.literal and function is None
    change = replacer.prepare(Cursor()) if constant else None
    read, put = target.get, target.set

    def run(cursor: Cursor) -> None:
        found = read(cursor)
        if type(found) is not str:
            return
        changed = (change or replacer.prepare(cursor))(found)
        if changed is not None:
            put(cursor, changed)

    return run


@function(
    "replace_all_patterns",
    need("target", Kind.MAP_PLACE),
    need("mode", Kind.TEXT),
    *_PATTERN_PARAMETERS,
)
def replace_all_patterns(
    target: Place,
    mode: str,
    regex_pattern: Expression,
    replacement: Expression,
    function: Reference | None = None,
    replacement_format: Expression | None = None,
) -> Run:
    """Replace what matches a regular expression in all keys, or all text values, of a map."""
    if mode not in ("key", "value"):
        raise ValueError(f"mode {mode!r} is neither key nor value")
    replacer = _Replacer(regex_pattern, replacement, function, replacement_format)

    def run(cursor: Cursor) -> None:
        change = _lenient(replacer.prepare(cursor), function)
        if mode == "value":
            _change_values(target, change, cursor)
        else:
            _change_keys(target, change, cursor)

    return run


def _lenient(
    change: Callable[[str], str | None], function: Reference | None
) -> Callable[[str], str | None]:
    """With a function, what fails is left as it is (and a key that fails is lost)."""
    if function is None:
        return change

    def attempt(text: str) -> str | None:
        try:
            return change(text)
        except OttlError:
            return _FAILED

    return attempt


_FAILED = "\x00failed"


def _change_values(target: Place, change: Callable[[str], str | None], cursor: Cursor) -> None:
    def wanted(text: str) -> str | None:
        changed = change(text)
        return None if changed is _FAILED else changed

    if target.attributes is not None:
        target.attributes.find(cursor).rewrite_texts(wanted)
        return
    found = map_of(target, cursor)
    for name, value in found.items():
        changed = wanted(value) if type(value) is str else None
        if changed is not None:
            found[name] = changed
    target.set(cursor, found)


def _change_keys(target: Place, change: Callable[[str], str | None], cursor: Cursor) -> None:
    renamed: dict[str, Any] = {}
    for name, value in map_of(target, cursor).items():
        changed = change(name)
        if changed is not _FAILED:
            renamed[name if changed is None else changed] = value
    target.set(cursor, renamed)


def _glob(pattern: Expression) -> Callable[[Cursor], Callable[[str], bool]]:
    if pattern.literal:
        fixed = remember(glob_to_regex(pattern.value))
        return lambda cursor: fixed

    def compiled(cursor: Cursor) -> Callable[[str], bool]:
        try:
            return _dynamic_glob(pattern.get(cursor))
        except ValueError as error:
            raise OttlError(str(error)) from None

    return compiled


@lru_cache(maxsize=TEMPLATES_MAX)
def _dynamic_glob(pattern: str) -> Callable[[str], bool]:
    return remember(glob_to_regex(pattern))


def _replacement(
    replacement: Expression, function: Reference | None, layout: Expression | None, cursor: Cursor
) -> str:
    text: str = replacement.get(cursor)
    if function is None:
        return text
    return apply_format(layout, through(function, text, cursor), cursor)


@function("replace_match", need("target", Kind.PLACE), *_MATCH_PARAMETERS)
def replace_match(
    target: Place,
    pattern: Expression,
    replacement: Expression,
    function: Reference | None = None,
    replacement_format: Expression | None = None,
) -> Run:
    """Replace a whole text that matches a glob."""
    matcher = _glob(pattern)

    def run(cursor: Cursor) -> None:
        matches = matcher(cursor)
        found = target.get(cursor)
        new = _replacement(replacement, function, replacement_format, cursor)
        if type(found) is str and matches(found):
            target.set(cursor, new)

    return run


@function("replace_all_matches", need("target", Kind.MAP_PLACE), *_MATCH_PARAMETERS)
def replace_all_matches(
    target: Place,
    pattern: Expression,
    replacement: Expression,
    function: Reference | None = None,
    replacement_format: Expression | None = None,
) -> Run:
    """Replace all text values of a map that match a glob."""
    matcher = _glob(pattern)

    def run(cursor: Cursor) -> None:
        matches = matcher(cursor)
        new = _replacement(replacement, function, replacement_format, cursor)
        _change_values(target, lambda text: new if matches(text) else None, cursor)

    return run
