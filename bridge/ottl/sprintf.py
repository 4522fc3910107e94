"""Go's `fmt.Sprintf` for the values that OTTL has."""

import re
from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.gotext import format_duration, format_float, to_json
from bridge.ottl.gotime import format_layout
from bridge.ottl.values import Duration, Time, TypedList

RESULT_LENGTH_MAX = 1 << 20
"""Characters that one `Format` may give; a width of 999999999 is a mistake, not a wish."""

_VERB = re.compile(r"%([+\-# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?(.)?", re.DOTALL)
_DOTTED = re.compile(r"%[+\-# 0]*(?:\d+|\*)?\.")
_GO_NAMES = {str: "string", bool: "bool", int: "int64", float: "float64", bytes: "[]uint8"}


def sprintf(layout: str, values: list[Any]) -> str:
    """
    Write *values* by the verbs in *layout*. Mistakes are written into the result, as Go does.

    Raises:
        OttlError: If the result would be longer than `RESULT_LENGTH_MAX`.
    """
    pieces: list[str] = []
    used, position = 0, 0
    for match in _VERB.finditer(layout):
        pieces.append(layout[position : match.start()])
        position = match.end()
        flags, width_text, precision_text, verb = match.groups()
        width, used = _number(width_text, values, used)
        precision, used = _number(precision_text, values, used)
        if precision is None and _DOTTED.match(match[0]):
            precision = 0
        if max(width or 0, precision or 0) > RESULT_LENGTH_MAX:
            raise OttlError(f"a formatted text may have {RESULT_LENGTH_MAX} characters at most")
        if verb is None:
            pieces.append("%!(NOVERB)")
        elif verb == "%":
            pieces.append("%")
        elif used >= len(values):
            pieces.append(f"%!{verb}(MISSING)")
        else:
            pieces.append(_write(values[used], verb, flags, width, precision))
            used += 1
    pieces.append(layout[position:])
    if used < len(values):
        extra = ", ".join(_extra(value) for value in values[used:])
        pieces.append(f"%!(EXTRA {extra})")
    result = "".join(pieces)
    if len(result) > RESULT_LENGTH_MAX:
        raise OttlError(f"a formatted text may have {RESULT_LENGTH_MAX} characters at most")
    return result


def _number(text: str | None, values: list[Any], used: int) -> tuple[int | None, int]:
    if text != "*":
        return (int(text) if text else None), used
    if used < len(values) and type(values[used]) is int:
        return values[used], used + 1
    return None, used + 1


def _extra(value: Any) -> str:
    return "<nil>" if value is None else f"{_go_name(value)}={plain(value)}"


def _go_name(value: Any) -> str:
    if type(value) is TypedList:
        return "[]string"
    if isinstance(value, Time):
        return "time.Time"
    if isinstance(value, Duration):
        return "time.Duration"
    return _GO_NAMES.get(
        type(value), "[]interface {}" if isinstance(value, list) else "pcommon.Map"
    )


def plain(value: Any) -> str:
    """*value* as ``%v`` writes it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_float(value, exponent_below=1e-4)
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return "[" + " ".join(map(str, value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(plain, value)) + "]"
    if isinstance(value, Duration):
        return format_duration(value)
    if isinstance(value, Time):
        return format_layout(value, "2006-01-02 15:04:05.999999999 -0700 MST")
    if isinstance(value, dict):
        return to_json(value)
    return str(value)


def _write(value: Any, verb: str, flags: str, width: int | None, precision: int | None) -> str:
    if verb == "T":
        return _pad("<nil>" if value is None else _go_name(value), flags, width)
    text = _body(value, verb, flags, precision)
    if text is None:
        shown = "<nil>" if value is None else f"{_go_name(value)}={plain(value)}"
        return f"%!{verb}({shown})"
    numeric = (type(value) in (int, float) and verb not in "vsqc") or (
        verb == "v" and type(value) in (int, float)
    )
    return _pad(text, flags, width, zeros="0" in flags and "-" not in flags and numeric)


def _pad(text: str, flags: str, width: int | None, *, zeros: bool = False) -> str:
    if not width or len(text) >= width:
        return text
    if "-" in flags:
        return text.ljust(width)
    if zeros:
        sign = text[:1] if text[:1] in "+- " else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _body(value: Any, verb: str, flags: str, precision: int | None) -> Any:
    """The text without padding; `None` if the verb does not fit the value."""
    kind = type(value)
    if value is None:
        return "<nil>" if verb == "v" else None
    if kind is bool:
        return plain(value) if verb in "tv" else None
    if kind is int:
        return _integer(value, verb, flags, precision)
    if kind is float:
        return _float(value, verb, flags, precision)
    if kind is str:
        return _string(value, verb, flags, precision)
    if kind is bytes and verb in "sxXq":
        if verb in "sq":
            return _string(value.decode("utf-8", "surrogateescape"), verb, flags, precision)
        return value.hex() if verb == "x" else value.hex().upper()
    if isinstance(value, list) and verb in "sdvq":
        inner = [_write(one, verb, flags, None, precision) for one in value]
        return "[" + " ".join(inner) + "]"
    if isinstance(value, Duration) and verb == "d":
        return str(value.ns)
    return plain(value) if verb in "vs" else None


def _signed(text: str, value: float, flags: str) -> str:
    if value < 0 or text.startswith(("-", "+")):
        return text
    return "+" + text if "+" in flags else " " + text if " " in flags else text


def _integer(value: int, verb: str, flags: str, precision: int | None) -> str | None:
    if verb == "c":
        return chr(value) if 0 <= value < 0x110000 else "\ufffd"
    if verb == "q":
        return f"'{chr(value)}'" if 0 <= value < 0x110000 else "'\ufffd'"
    if verb == "U":
        return f"U+{value:04X}"
    shape = {"d": "d", "v": "d", "x": "x", "X": "X", "o": "o", "O": "o", "b": "b"}.get(verb)
    if shape is None:
        return None
    digits = format(abs(value), shape)
    if precision is not None:
        digits = digits.rjust(precision, "0")
    prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
    if verb == "O":
        prefix = "0o"
    return _signed(("-" if value < 0 else "") + prefix + digits, value, flags)


def _float(value: float, verb: str, flags: str, precision: int | None) -> str | None:
    if value != value or value in (float("inf"), float("-inf")):
        return format_float(value) if verb in "feEgGFv" else None
    if verb in "fF":
        text = f"{value:.{6 if precision is None else precision}f}"
    elif verb in "eE":
        text = f"{value:.{6 if precision is None else precision}e}"
        text = text.upper() if verb == "E" else text
    elif verb in "gGv":
        if precision is None:
            low = 1e-4
            text = format_float(value, exponent_below=low, exponent_from=1e21)
        else:
            text = f"{value:.{max(precision, 1)}g}"
        text = text.upper() if verb == "G" else text
    else:
        return None
    return _signed(text, value, flags)


def _string(value: str, verb: str, flags: str, precision: int | None) -> str | None:
    if precision is not None:
        value = value[:precision]
    if verb in "sv":
        return value
    if verb == "q":
        return quoted(value)
    if verb in "xX":
        text = value.encode("utf-8", "surrogateescape").hex()
        return text.upper() if verb == "X" else text
    return None


_QUOTED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_QUOTED |= {"\v": "\\v", "\\": "\\\\", '"': '\\"'}


def quoted(text: str) -> str:
    """*text* in double quotes with Go's escapes."""
    pieces = []
    for character in text:
        point = ord(character)
        if character in _QUOTED:
            pieces.append(_QUOTED[character])
        elif 0xDC80 <= point <= 0xDCFF:
            pieces.append(f"\\x{point - 0xDC00:02x}")
        elif character.isprintable():
            pieces.append(character)
        elif point < 0x80:
            pieces.append(f"\\x{point:02x}")
        else:
            pieces.append(f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}")
    return '"' + "".join(pieces) + '"'
