"""
What a backend's OTLP answer means: taken, partly rejected, later, never, or "we may not".

One place for both transports, so that gRPC and HTTP exporters follow the same rules.

Source: OTLP specification 1.11, sections on failures, throttling and partial success.
"""

import email.utils
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from bridge.core import (
    ACCEPTED,
    DeliveryError,
    Denied,
    Receipt,
    Refused,
    TooLarge,
    Unavailable,
)

RESPONSE_BYTES_MAX = 4 * 1024 * 1024
"""Largest answer that is read, also after decompression; OTLP recommends 4 MiB."""

REQUEST_BYTES_MAX = 64 * 1024 * 1024
"""Largest request before compression; OTLP recommends that servers take 64 MiB."""

GRPC_NAMES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
    *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)

_GRPC_RETRYABLE = frozenset({1, 4, 10, 11, 14, 15})
_GRPC_RESOURCE_EXHAUSTED = 8
_GRPC_DENIED = frozenset({7, 16})
_HTTP_RETRYABLE = frozenset({429, 502, 503, 504})
_HTTP_DENIED = frozenset({401, 403})

_DENIED_HINT = "check auth and headers of the exporter: the backend refuses our credentials"
_MESSAGE_LENGTH_MAX = 500
_RETRY_INFO = "google.rpc.RetryInfo"


def grpc_error(code: int, message: str, details: bytes, backend: str) -> DeliveryError:
    """
    The error that a gRPC status other than OK stands for.

    Args:
        details:
            The serialized ``google.rpc.Status`` of ``grpc-status-details-bin``, or nothing.
    """
    name = GRPC_NAMES[code] if 0 <= code < len(GRPC_NAMES) else f"status {code}"
    text = f"{backend} answered {name}: {_shorten(message)}"
    retry_after_s = retry_info_s(details)
    if code in _GRPC_RETRYABLE:
        return Unavailable(text, retry_after_s=retry_after_s)
    if code == _GRPC_RESOURCE_EXHAUSTED and retry_after_s is not None:
        return Unavailable(text, retry_after_s=retry_after_s)
    if code in _GRPC_DENIED:
        return Denied(text, hint=_DENIED_HINT)
    return Refused(text)


def http_error(
    status: int, headers: Mapping[str, str], message: str, backend: str, now_s: float
) -> DeliveryError:
    """
    The error that an HTTP status other than 2xx stands for.

    Args:
        headers:
            With a ``Retry-After`` in any spelling that the mapping finds.
        now_s:
            Seconds since the epoch, to which a Retry-After date is compared.
    """
    text = f"{backend} answered {status}: {_shorten(message)}"
    if status in _HTTP_RETRYABLE:
        hint_s = retry_after_s(headers.get("Retry-After", ""), now_s)
        return Unavailable(text, retry_after_s=hint_s)
    if status in _HTTP_DENIED:
        return Denied(text, hint=_DENIED_HINT)
    if status == 413:
        return TooLarge(f"{text}; lower max_request_bytes of the exporter")
    return Refused(text)


def retry_after_s(value: str, now_s: float) -> float | None:
    """Seconds that a ``Retry-After`` asks for, as number or HTTP date; `None` if it is neither."""
    value = value.strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # Never negative: a date in the past, or our clock ahead, means "now".
    return max(0.0, (moment - datetime.fromtimestamp(now_s, UTC)).total_seconds())


def retry_info_s(details: bytes) -> float | None:
    """Seconds in the ``RetryInfo`` of a serialized ``google.rpc.Status``; `None` without one."""
    try:
        for number, value in _fields(details):
            if number == 3 and isinstance(value, bytes):
                parts = dict(_fields(value))
                url, body = parts.get(1), parts.get(2, b"")
                if isinstance(url, bytes) and url.decode().endswith(_RETRY_INFO):
                    return _retry_delay_s(body)
    except (ValueError, IndexError, UnicodeDecodeError):
        return None
    return None


def status_message(body: bytes) -> str:
    """The message of a serialized ``google.rpc.Status``; empty if the bytes are none."""
    try:
        value = dict(_fields(body)).get(2, b"")
        return value.decode() if isinstance(value, bytes) else ""
    except (ValueError, IndexError, UnicodeDecodeError):
        return ""


def receipt_of(body: bytes) -> Receipt:
    """
    What an ``Export<Signal>ServiceResponse`` says, which has one shape for all signals.

    Bytes that are no such message count as a full success: the status said OK, and sending again
    what a backend has accepted would be worse.
    """
    try:
        partial = dict(_fields(body)).get(1)
        if not isinstance(partial, bytes):
            return ACCEPTED
        fields = dict(_fields(partial))
        rejected, message = fields.get(1, 0), fields.get(2, b"")
        if not isinstance(rejected, int) or not isinstance(message, bytes):
            return ACCEPTED
        return make_receipt(rejected, message.decode("utf-8", "replace"))
    except (ValueError, IndexError):
        return ACCEPTED


def make_receipt(rejected_items: int, message: str) -> Receipt:
    """A receipt of a partial success; negative counts of a confused backend are none."""
    if rejected_items <= 0 and not message:
        return ACCEPTED
    return Receipt(max(0, rejected_items), _shorten(message))


def _retry_delay_s(body: bytes | int) -> float | None:
    if not isinstance(body, bytes):
        return None
    delay = dict(_fields(body)).get(1, b"")
    if not isinstance(delay, bytes):
        return None
    parts = dict(_fields(delay))
    seconds, nanos = parts.get(1, 0), parts.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int) or seconds >= 1 << 63:
        return None
    return seconds + nanos / 1e9


def _shorten(message: str) -> str:
    """A backend's words for a log line: one line, bounded."""
    text = " ".join(message.split())
    return text if len(text) <= _MESSAGE_LENGTH_MAX else text[:_MESSAGE_LENGTH_MAX] + "..."


def _fields(data: bytes) -> list[tuple[int, bytes | int]]:
    """The fields of a small protobuf message; later ones of a number come later."""
    found: list[tuple[int, bytes | int]] = []
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        skip = _READERS.get(tag & 7)
        if skip is None:
            raise ValueError("no protobuf")
        value, position = skip(data, position)
        found.append((tag >> 3, value))
    return found


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


def _length_delimited(data: bytes, position: int) -> tuple[bytes, int]:
    length, position = _varint(data, position)
    if position + length > len(data):
        raise ValueError("truncated")
    return data[position : position + length], position + length


def _fixed(width: int) -> Callable[[bytes, int], tuple[bytes | int, int]]:
    def read(data: bytes, position: int) -> tuple[bytes | int, int]:
        if position + width > len(data):
            raise ValueError("truncated")
        return int.from_bytes(data[position : position + width], "little"), position + width

    return read


_READERS: Mapping[int, Callable[[bytes, int], tuple[bytes | int, int]]] = {
    0: _varint,
    1: _fixed(8),
    2: _length_delimited,
    5: _fixed(4),
}
