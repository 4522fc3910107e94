"""The escapes of a quoted string, as Go reads them."""

import re

_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
}
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))",
    re.DOTALL,
)


def unquote(quoted: str) -> str:
    """
    The text between the quotes. Bytes that are no UTF-8 become surrogate escapes.

    Raises:
        ValueError: On a line break or an escape that Go does not know; it names the escape.
    """
    inner = quoted[1:-1]
    if "\n" in inner:
        raise ValueError(r"a text may not contain a line break: write \n")
    if "\\" not in inner:
        return inner
    pieces, position = [], 0
    for match in _ESCAPE.finditer(inner):
        pieces.append(inner[position : match.start()].encode("utf-8", "surrogateescape"))
        pieces.append(_escaped(match))
        position = match.end()
    pieces.append(inner[position:].encode("utf-8", "surrogateescape"))
    return b"".join(pieces).decode("utf-8", "surrogateescape")


def _escaped(match: re.Match[str]) -> bytes:
    simple, hexadecimal, octal, short, long, unknown = match.groups()
    if simple:
        return _SIMPLE[simple].encode()
    if hexadecimal or octal:
        value = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
        if value > 0xFF:
            raise ValueError(f"\\{octal} is no byte")
        return bytes([value])
    if short or long:
        point = int(short or long, 16)
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            raise ValueError(f"{match[0]} is no character")
        return chr(point).encode()
    raise ValueError(
        f"\\{unknown} is no escape: write \\\\{unknown} for a backslash (regular expressions too)"
    )
