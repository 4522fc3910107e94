"""Converters that take a text apart: JSON, CSV, key=value."""

import json
import math
import re
from typing import Any

from bridge.ottl.codec import DEPTH_MAX
from bridge.ottl.csv import read_row
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get
from bridge.ottl.functions.collections import check_delimiters
from bridge.ottl.functions.registry import function, maybe, need
from bridge.ottl.signature import Kind

TEXT_LENGTH_MAX = 4 << 20
"""Characters of a text that is parsed: as much as a request of the default size can hold."""


_LONE = re.compile("[\ud800-\udfff]")


def _check_length(text: str) -> None:
    if len(text) > TEXT_LENGTH_MAX:
        raise OttlError(f"a text to parse may have {TEXT_LENGTH_MAX} characters")


@function("ParseJSON", need("target", Kind.STRING))
def parse_json(target: Expression) -> Get:
    """The list or map that a JSON text is; its numbers are floats."""
    return lambda cursor: _json(target.get(cursor))


def _json(text: str) -> Any:
    _check_length(text)
    _check_depth(text)
    try:
        value = json.loads(
            text, parse_int=_number, parse_float=_number, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise OttlError(f"invalid JSON: {error}") from None
    if not isinstance(value, list | dict):
        raise OttlError("JSON must be a list or an object")
    return _without_surrogates(value) if "\\u" in text or not text.isprintable() else value


def _without_surrogates(value: Any) -> Any:
    """Half a surrogate pair stands for no character: U+FFFD instead, as in Go."""
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(inner) for inner in value]
    if isinstance(value, dict):
        return {
            _LONE.sub("\ufffd", key): _without_surrogates(inner) for key, inner in value.items()
        }
    return value


def _check_depth(text: str) -> None:
    depth = deepest = 0
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return
    in_text = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif in_text:
            escaped = character == "\\"
            in_text = character != '"'
        elif character == '"':
            in_text = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    if deepest > DEPTH_MAX:
        raise OttlError(f"JSON may be nested {DEPTH_MAX} deep")


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits} is out of range")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


@function(
    "ParseKeyValue",
    need("target", Kind.STRING),
    maybe("delimiter", Kind.TEXT),
    maybe("pair_delimiter", Kind.TEXT),
)
def parse_key_value(target: Expression, delimiter: str = "=", pair_delimiter: str = " ") -> Get:
    """The map that a text of key=value pairs is; quotes keep delimiters together."""
    check_delimiters(delimiter, pair_delimiter)

    def get(cursor: Cursor) -> dict[str, str]:
        text = target.get(cursor)
        if not text:
            raise OttlError("the text is empty")
        _check_length(text)
        result: dict[str, str] = {}
        for piece in _split(text, pair_delimiter):
            key, found, value = piece.partition(delimiter)
            if not found:
                raise OttlError(f"{piece!r} has no {delimiter!r}")
            result[key.strip()] = value.strip()
        return result

    return get


def _split(text: str, delimiter: str) -> list[str]:
    """The pieces between delimiters outside of quotes; quotes are dropped, empty pieces too."""
    pieces: list[str] = []
    current: list[str] = []
    quote, escaped, index = "", False, 0
    while index < len(text):
        character = text[index]
        if not quote and text.startswith(delimiter, index):
            if current:
                pieces.append("".join(current))
                current = []
            index += len(delimiter)
            continue
        index += 1
        if not escaped:
            if not quote and character in "\"'":
                quote = character
                continue
            if character == quote:
                quote = ""
                continue
            escaped = character == "\\"
        else:
            escaped = False
        current.append(character)
    if quote:
        raise OttlError("a quoted value has no end")
    if current:
        pieces.append("".join(current))
    return pieces


@function(
    "ParseCSV",
    need("target", Kind.STRING),
    need("header", Kind.STRING),
    maybe("delimiter", Kind.TEXT),
    maybe("header_delimiter", Kind.TEXT),
    maybe("mode", Kind.TEXT),
)
def parse_csv(
    target: Expression,
    header: Expression,
    delimiter: str = ",",
    header_delimiter: str | None = None,
    mode: str = "strict",
) -> Get:
    """The map of a CSV row under its headers; modes strict, lazyQuotes, ignoreQuotes."""
    if len(delimiter) != 1 or (header_delimiter is not None and len(header_delimiter) != 1):
        raise ValueError("a delimiter is a single character")
    if mode not in ("strict", "lazyQuotes", "ignoreQuotes"):
        raise ValueError(f"mode {mode!r} is none of strict, lazyQuotes, ignoreQuotes")
    between = delimiter if header_delimiter is None else header_delimiter

    def get(cursor: Cursor) -> dict[str, str]:
        row, titles = target.get(cursor), header.get(cursor)
        if not titles:
            raise OttlError("the header is empty")
        _check_length(row)
        names = titles.split(between)
        if mode == "ignoreQuotes":
            fields = row.split(delimiter)
        else:
            fields = read_row(row, delimiter, lazy=mode == "lazyQuotes")
        if len(fields) != len(names):
            raise OttlError(f"{len(names)} headers but {len(fields)} fields")
        return dict(zip(names, fields, strict=True))

    return get
