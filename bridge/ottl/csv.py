"""One CSV row by the rules of Go's reader."""

from bridge.ottl.errors import OttlError


def read_row(text: str, delimiter: str, *, lazy: bool) -> list[str]:
    """
    The fields of *text*.

    Several lines are one row: a further line goes on where the last field of the one before ended.

    Args:
        lazy:
            Whether quotes may stand inside of unquoted fields, and loose ones in quoted fields.

    Raises:
        OttlError: If a quote stands where it may not, or there is no row.
    """
    rows = _Rows(text.replace("\r\n", "\n"), delimiter, lazy=lazy).read()
    if not rows:
        raise OttlError("there is no CSV row")
    joined = rows[0]
    for row in rows[1:]:
        joined[-1] += "\n" + row[0]
        joined += row[1:]
    return joined


class _Rows:
    """The state of reading: where we are, and the fields of the present row."""

    def __init__(self, text: str, delimiter: str, *, lazy: bool) -> None:
        self._text = text
        self._at = 0
        self._delimiter = delimiter
        self._lazy = lazy

    def read(self) -> list[list[str]]:
        rows = []
        while self._at < len(self._text):
            if self._text[self._at] == "\n":
                # Go skips empty lines.
                self._at += 1
                continue
            rows.append(self._row())
        return rows

    def _row(self) -> list[str]:
        fields: list[str] = []
        while True:
            quoted = self._text.startswith('"', self._at)
            fields.append(self._quoted() if quoted else self._plain())
            if not self._text.startswith(self._delimiter, self._at):
                break
            self._at += 1
        if self._at < len(self._text):
            self._at += 1
        return fields

    def _plain(self) -> str:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in (self._delimiter, "\n"):
            if self._text[self._at] == '"' and not self._lazy:
                raise OttlError('a bare " stands inside of an unquoted field')
            self._at += 1
        return self._text[start : self._at]

    def _quoted(self) -> str:
        pieces: list[str] = []
        self._at += 1
        while True:
            stop = self._text.find('"', self._at)
            if stop < 0:
                if not self._lazy:
                    raise OttlError("a quoted field has no end")
                pieces.append(self._text[self._at :])
                self._at = len(self._text)
                return "".join(pieces)
            pieces.append(self._text[self._at : stop])
            self._at = stop + 1
            following = self._text[self._at : self._at + 1]
            if following == '"':
                pieces.append('"')
                self._at += 1
            elif following in ("", self._delimiter, "\n"):
                return "".join(pieces)
            elif self._lazy:
                pieces.append('"')
            else:
                raise OttlError('a " inside of a quoted field is not doubled')
