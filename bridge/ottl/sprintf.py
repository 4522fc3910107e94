"""Go's `fmt.Sprintf` for the values that OTTL has, mistakes included."""

from dataclasses import dataclass, field
from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.goformat import (
    Flags,
    format_bytes,
    format_float_verb,
    format_int,
    format_text,
    pad,
)
from bridge.ottl.gotext import format_duration, to_json
from bridge.ottl.gotime import format_layout
from bridge.ottl.values import Duration, Time, TypedList

RESULT_LENGTH_MAX = 1 << 20
"""Characters that one `Format` may give; a width of 999999999 is a mistake, not a wish."""

_NUMBER_MAX = 1_000_000
"""Go reads no width, precision or index above this."""

_GO_NAMES = {str: "string", bool: "bool", int: "int64", float: "float64", bytes: "[]uint8"}
_STRINGER_VERBS = "vsqxX"


def sprintf(layout: str, values: list[Any]) -> str:
    """
    Write *values* by the verbs in *layout*. Mistakes are written into the result, as Go does.

    Raises:
        OttlError: If the result would be longer than `RESULT_LENGTH_MAX`.
    """
    printer = _Printer(layout, values)
    result = printer.run()
    if len(result) > RESULT_LENGTH_MAX:
        raise OttlError(f"a formatted text may have {RESULT_LENGTH_MAX} characters at most")
    return result


@dataclass(slots=True)
class _Printer:
    """Where we are in the layout and among the values."""

    layout: str
    values: list[Any]
    at: int = 0
    used: int = 0
    reordered: bool = False
    good_index: bool = True
    pieces: list[str] = field(default_factory=list)

    def run(self) -> str:
        layout, end = self.layout, len(self.layout)
        while self.at < end:
            percent = layout.find("%", self.at)
            if percent < 0:
                self.pieces.append(layout[self.at :])
                break
            self.pieces.append(layout[self.at : percent])
            self.at = percent + 1
            self._verb()
        if not self.reordered and self.used < len(self.values):
            extra = ", ".join(_extra(value) for value in self.values[self.used :])
            self.pieces.append(f"%!(EXTRA {extra})")
        return "".join(self.pieces)

    def _peek(self) -> str:
        return self.layout[self.at : self.at + 1]

    def _verb(self) -> None:
        flags = Flags()
        self.good_index = True
        while self._peek() and self._peek() in "#0+- ":
            flags.set(self._peek())
            self.at += 1
        after_index = self._index()
        flags.width, after_index = self._width(flags, after_index=after_index)
        after_index = self._precision(flags, after_index=after_index)
        if not after_index:
            self._index()
        verb = self._peek()
        if not verb:
            self.pieces.append("%!(NOVERB)")
            return
        self.at += 1
        if verb == "%":
            self.pieces.append("%")
        elif not self.good_index:
            self.pieces.append(f"%!{verb}(BADINDEX)")
        elif self.used >= len(self.values):
            self.pieces.append(f"%!{verb}(MISSING)")
        else:
            value = self.values[self.used]
            self.used += 1
            if verb == "v":
                flags.plus = flags.sharp = False
            self.pieces.append(write(value, verb, flags))

    def _width(self, flags: Flags, *, after_index: bool) -> tuple[int | None, bool]:
        if self._peek() == "*":
            self.at += 1
            width = self._star("BADWIDTH")
            if width is not None and width < 0:
                width, flags.minus = -width, True
            return width, False
        width = self._digits()
        if after_index and width is not None:
            self.good_index = False
        return width, after_index

    def _precision(self, flags: Flags, *, after_index: bool) -> bool:
        if self._peek() != ".":
            return after_index
        self.at += 1
        if after_index:
            self.good_index = False
        after_index = self._index()
        if self._peek() == "*":
            self.at += 1
            flags.precision = self._star("BADPREC")
            if flags.precision is not None and flags.precision < 0:
                flags.precision = None
                self.pieces.append("%!(BADPREC)")
            return False
        flags.precision = self._digits() or 0
        return after_index

    def _star(self, problem: str) -> int | None:
        value = self.values[self.used] if self.used < len(self.values) else None
        if self.used < len(self.values):
            self.used += 1
        if type(value) is int and abs(value) <= _NUMBER_MAX:
            return value
        self.pieces.append(f"%!({problem})")
        return None

    def _digits(self) -> int | None:
        start = self.at
        while self._peek().isascii() and self._peek().isdigit():
            self.at += 1
        text = self.layout[start : self.at]
        if not text:
            return None
        number = int(text)
        if number > RESULT_LENGTH_MAX:
            raise OttlError(f"a formatted text may have {RESULT_LENGTH_MAX} characters at most")
        return number

    def _index(self) -> bool:
        """Read ``[n]``; whether there was one."""
        if self._peek() != "[":
            return False
        self.reordered = True
        closing = self.layout.find("]", self.at)
        if closing < 0:
            self.good_index = False
            self.at += 1
            return False
        text = self.layout[self.at + 1 : closing]
        self.at = closing + 1
        if text.isascii() and text.isdigit() and 1 <= int(text) <= len(self.values):
            self.used = int(text) - 1
            return True
        self.good_index = False
        return True


def _extra(value: Any) -> str:
    return "<nil>" if value is None else f"{_go_name(value)}={plain(value)}"


def _go_name(value: Any) -> str:
    if type(value) is TypedList:
        return "[]string"
    if isinstance(value, Time):
        return "time.Time"
    if isinstance(value, Duration):
        return "time.Duration"
    if isinstance(value, list):
        return "[]interface {}" if type(value) is not list else "pcommon.Slice"
    return _GO_NAMES.get(type(value), "pcommon.Map")


def plain(value: Any) -> str:
    """*value* as ``%v`` writes it."""
    return write(value, "v", Flags())


def write(value: Any, verb: str, flags: Flags) -> str:
    """One value by one verb."""
    if value is None:
        return pad("<nil>", flags) if verb in "vT" else f"%!{verb}(<nil>)"
    if verb == "T":
        return format_text(_go_name(value), "s", flags) or ""
    text = _by_type(value, verb, flags)
    if text is None:
        return f"%!{verb}({_go_name(value)}={_by_type(value, 'v', flags)})"
    return text


def _by_type(value: Any, verb: str, flags: Flags) -> str | None:
    """The text; `None` if the verb does not fit the type."""
    kind = type(value)
    if kind is bool:
        return pad("true" if value else "false", flags) if verb in "tv" else None
    if kind is int:
        return format_int(value, verb, flags)
    if kind is float:
        return format_float_verb(value, verb, flags)
    if kind is str:
        return format_text(value, verb, flags)
    if kind is bytes:
        return format_bytes(value, verb, flags)
    if isinstance(value, Duration):
        if verb in _STRINGER_VERBS:
            return format_text(format_duration(value), "s" if verb == "v" else verb, flags)
        return format_int(value.ns, verb, flags)
    if isinstance(value, Time):
        return format_text(_time_text(value), "s" if verb == "v" else verb, flags)
    if isinstance(value, list) and type(value) is not list:
        return "[" + " ".join(write(one, verb, flags) for one in value) + "]"
    # Go prints the addresses inside of its maps here; a text that means something is better.
    return pad(to_json(value), flags)


def _time_text(value: Time) -> str:
    return format_layout(value, "2006-01-02 15:04:05.999999999 -0700 MST")
