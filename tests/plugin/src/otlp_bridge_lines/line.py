"""One request as one line, and the three words of an answer."""

import base64
import binascii

from bridge.core import Malformed, Signal

LINE_BYTES_MAX = 16 * 1024 * 1024

OK, LATER, NEVER = b"ok", b"later", b"never"


def write_line(signal: Signal, items: int, body: bytes) -> bytes:
    """The line of one request, with its end."""
    return b"%s %d %s\n" % (signal.value.encode(), items, base64.b64encode(body))


def read_line(line: bytes) -> tuple[Signal, int, bytes]:
    """
    Signal, number of items and body of a line.

    Raises:
        Malformed: If it is no such line.
    """
    try:
        signal, items, body = line.split(b" ")
        return Signal(signal.decode()), int(items), base64.b64decode(body.strip(), validate=True)
    except (ValueError, binascii.Error) as error:
        raise Malformed(f"no line of signal, items and base64: {line[:80]!r}") from error
