"""How errors are told to senders: gRPC codes, HTTP statuses, ``google.rpc.Status`` bodies."""

import json
import math
import random
from dataclasses import dataclass
from typing import Final

from bridge.core import Malformed, Overloaded, Permanent, Retryable, TooLarge
from bridge.http2 import Code
from bridge.wire import varint

_MESSAGE_CHARS_MAX: Final = 1_024
_TYPE_PREFIX: Final = "type.googleapis.com/google.rpc."


_RETRY_AFTER_S = 1.0
"""Seconds after which a sender that nobody answered in time is asked to come back."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What a sender is told about its request.

    `retry_after_s` is set when it shall come back; `outcome` is the label of our counter.
    """

    code: Code
    http_status: int
    message: str
    outcome: str
    retry_after_s: float | None = None

    def to_protobuf(self) -> bytes:
        """A serialized ``google.rpc.Status``."""
        status = _varint_field(1, int(self.code)) + _bytes_field(2, self.message.encode())
        if self.retry_after_s is not None:
            seconds, nanos = _split_seconds(self.retry_after_s)
            delay = _varint_field(1, seconds) + _varint_field(2, nanos)
            status += _detail("RetryInfo", _bytes_field(1, delay))
        elif self.code is Code.INVALID_ARGUMENT:
            violation = _bytes_field(2, self.message.encode())
            status += _detail("BadRequest", _bytes_field(1, violation))
        return status

    def to_json(self) -> bytes:
        """The same in protobuf's JSON."""
        details: list[dict[str, object]] = []
        if self.retry_after_s is not None:
            details.append(
                {"@type": _TYPE_PREFIX + "RetryInfo", "retryDelay": f"{self.retry_after_s:.3f}s"}
            )
        elif self.code is Code.INVALID_ARGUMENT:
            details.append(
                {
                    "@type": _TYPE_PREFIX + "BadRequest",
                    "fieldViolations": [{"description": self.message}],
                }
            )
        status: dict[str, object] = {"code": int(self.code), "message": self.message}
        if details:
            status["details"] = details
        return json.dumps(status, separators=(",", ":")).encode()

    @property
    def retry_after_header(self) -> bytes | None:
        """The value of ``Retry-After``: whole seconds, at least 1."""
        if self.retry_after_s is None:
            return None
        return str(max(1, math.ceil(self.retry_after_s))).encode()


def judge(error: Exception) -> Verdict:
    """
    Translate *error* as design section 6 says.

    What is no error of the bridge is a fault of ours: the sender keeps its data and comes back.
    Retry delays are spread by 25 %, so that those refused together do not return together.
    """
    text = str(error)[:_MESSAGE_CHARS_MAX]
    if isinstance(error, Retryable):
        delay_s = error.retry_after_s
        outcome = "overloaded" if isinstance(error, Overloaded) else "unavailable"
        return Verdict(
            Code.UNAVAILABLE, 503, text, outcome, None if delay_s is None else _spread(delay_s)
        )
    if isinstance(error, TooLarge):
        return Verdict(Code.RESOURCE_EXHAUSTED, 413, text, "too_large")
    if isinstance(error, Malformed):
        return Verdict(Code.INVALID_ARGUMENT, 400, text, "malformed")
    if isinstance(error, Permanent):
        return Verdict(Code.INVALID_ARGUMENT, 400, text, "refused")
    return Verdict(Code.UNAVAILABLE, 503, text, "denied")


def fault() -> Verdict:
    """What a sender is told when we failed in a way that nobody foresaw."""
    return Verdict(
        Code.UNAVAILABLE, 503, "internal fault; the data was not taken: send it again", "failed"
    )


def expired() -> Verdict:
    """What a sender is told when nobody behind us answered in time."""
    return Verdict(
        Code.UNAVAILABLE,
        503,
        "not acknowledged in time; the data may arrive twice",
        "expired",
        _RETRY_AFTER_S,
    )


def encode_response(rejected_items: int, message: str) -> bytes:
    """An ``Export...ServiceResponse``, alike for all signals; empty if there is nothing to say."""
    partial = b""
    if rejected_items:
        partial += _varint_field(1, rejected_items)
    if message:
        partial += _bytes_field(2, message.encode("utf-8", "replace"))
    return _bytes_field(1, partial) if partial else b""


def _spread(delay_s: float) -> float:
    return delay_s * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, protects nothing


def _split_seconds(seconds: float) -> tuple[int, int]:
    whole = int(seconds)
    return whole, int((seconds - whole) * 1e9)


def _detail(name: str, message: bytes) -> bytes:
    packed = _bytes_field(1, (_TYPE_PREFIX + name).encode()) + _bytes_field(2, message)
    return _bytes_field(3, packed)


def _varint_field(number: int, value: int) -> bytes:
    return bytes((number << 3,)) + varint(value)


def _bytes_field(number: int, value: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + varint(len(value)) + value
