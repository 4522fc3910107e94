"""One value by one of Go's verbs: flags, width and precision."""

from dataclasses import dataclass

from bridge.ottl.gotext import format_float


@dataclass(slots=True)
class Flags:
    """What stands between the percent sign and the verb."""

    sharp: bool = False
    zero: bool = False
    plus: bool = False
    minus: bool = False
    space: bool = False
    width: int | None = None
    precision: int | None = None

    def set(self, flag: str) -> None:
        """Note one flag character."""
        if flag == "#":
            self.sharp = True
        elif flag == "0":
            self.zero = True
        elif flag == "+":
            self.plus = True
        elif flag == "-":
            self.minus = True
        else:
            self.space = True

    def sign(self, text: str) -> str:
        """*text* of a number, with the sign that the flags want."""
        if text.startswith(("-", "+")):
            return text if text[0] == "-" or self.plus else text[1:]
        return "+" + text if self.plus else " " + text if self.space else text


def pad(text: str, flags: Flags, *, zeros: bool | None = None) -> str:
    """*text* brought to the width."""
    width = flags.width
    if width is None or len(text) >= width:
        return text
    if flags.minus:
        return text.ljust(width)
    fill = flags.zero if zeros is None else zeros
    return text.rjust(width, "0" if fill else " ")


def format_int(value: int, verb: str, flags: Flags) -> str | None:
    """An int; `None` for a verb that takes none."""
    if verb == "c":
        return pad(_character(value), flags)
    if verb == "q":
        return pad(_quoted_character(value), flags)
    if verb == "U":
        return pad(f"U+{value & 0xFFFFFFFFFFFFFFFF:04X}", flags, zeros=False)
    shape = {"d": "d", "v": "d", "x": "x", "X": "X", "o": "o", "O": "o", "b": "b"}.get(verb)
    if shape is None:
        return None
    precision = flags.precision
    if precision == 0 and value == 0:
        return " " * (flags.width or 0)
    prefix = "0o" if verb == "O" else ""
    if flags.sharp and verb in "xXob":
        prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}[verb]
    sign = "-" if value < 0 else "+" if flags.plus else " " if flags.space else ""
    digits = format(abs(value), shape)
    if precision is not None:
        digits = digits.rjust(precision, "0")
    elif flags.zero and not flags.minus and flags.width:
        digits = digits.rjust(flags.width - len(sign), "0")
    if prefix == "0" and digits.startswith("0"):
        prefix = ""
    return pad(sign + prefix + digits, flags, zeros=False)


def _character(value: int) -> str:
    valid = 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000
    return chr(value) if valid else "\ufffd"


def _quoted_character(value: int) -> str:
    character = _character(value)
    inner = quoted(character)[1:-1].replace('\\"', '"')
    return "'" + ("\\'" if character == "'" else inner) + "'"


def format_float_verb(value: float, verb: str, flags: Flags) -> str | None:
    """A float; `None` for a verb that takes none."""
    if verb not in "eEfFgGvxXb":
        return None
    if value != value or value in (float("inf"), float("-inf")):
        text = format_float(value)
        shown = flags.sign(text) if value == value else text
        return pad(shown, flags, zeros=False)
    precision = flags.precision
    if verb in "fF":
        text = f"{value:.{6 if precision is None else precision}f}"
    elif verb in "eE":
        text = f"{value:.{6 if precision is None else precision}{verb}}"
    elif verb in "gGv":
        text = _general(value, precision)
        text = text.upper() if verb == "G" else text
    elif verb in "xX":
        text = _hexadecimal(value, precision)
        text = text.upper() if verb == "X" else text
    else:
        return None
    text = flags.sign(text)
    if flags.zero and not flags.minus and flags.width and text[:1] in "+- ":
        return text[0] + text[1:].rjust(flags.width - 1, "0")
    return pad(text, flags)


def _general(value: float, precision: int | None) -> str:
    """``%g``: an exponent below -4 and from the precision on, 6 for the shortest form."""
    if precision is None:
        return format_float(value, exponent_from=1e6, exponent_below=1e-4)
    return f"{value:.{precision or 1}g}"


def _hexadecimal(value: float, precision: int | None) -> str:
    """Go's hexadecimal floats: one digit before the point, two in the exponent."""
    mantissa, _, exponent = value.hex().partition("p")
    sign, _, rest = mantissa.rpartition("0x")
    whole, _, fraction = rest.partition(".")
    fraction = fraction.rstrip("0")
    if precision is not None:
        fraction = fraction[:precision].ljust(precision, "0")
    power = int(exponent)
    shown = f"{'-' if power < 0 else '+'}{abs(power):02d}"
    return f"{sign}0x{whole}{'.' + fraction if fraction else ''}p{shown}"


def format_text(value: str, verb: str, flags: Flags) -> str | None:
    """A string; `None` for a verb that takes none."""
    precision = flags.precision
    if verb in "sv":
        return pad(value if precision is None else value[:precision], flags)
    if verb == "q":
        cut = value if precision is None else value[:precision]
        if flags.sharp and "`" not in cut and cut.isprintable():
            return pad(f"`{cut}`", flags)
        return pad(quoted(cut), flags)
    if verb in "xX":
        return _hex_text(value.encode("utf-8", "surrogateescape"), verb, flags)
    return None


def _hex_text(data: bytes, verb: str, flags: Flags) -> str:
    if flags.precision is not None:
        data = data[: flags.precision]
    text = data.hex(" ") if flags.space else data.hex()
    if flags.sharp and data:
        text = "0x" + (text.replace(" ", " 0x") if flags.space else text)
    return pad(text.upper() if verb == "X" else text, flags)


def format_bytes(value: bytes, verb: str, flags: Flags) -> str:
    """Bytes: as a string for the verbs of strings, else as a list of numbers."""
    if verb in "sq":
        return format_text(value.decode("utf-8", "surrogateescape"), verb, flags) or ""
    if verb in "xX":
        return _hex_text(value, verb, flags)
    shown = []
    for byte in value:
        text = format_int(byte, verb, flags)
        shown.append(f"%!{verb}(uint8={format_int(byte, 'v', flags)})" if text is None else text)
    return "[" + " ".join(shown) + "]"


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
