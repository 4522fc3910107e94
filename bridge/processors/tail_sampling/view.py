"""A trace as policies see it: everything is read when it is first asked for, and once."""

from typing import Any

from google.protobuf.message import DecodeError

from bridge.processors._gathering import (
    Parts,
    Reader,
    compiled,
    framed_spans,
    request_in_order,
)
from bridge.processors.tail_sampling.schema import (
    EXACT_TIMES,
    RESOURCE_ATTRIBUTES,
    SPAN_ATTRIBUTES,
)

_CODES = 3  # Unset, OK and error.


class PolicyError(Exception):
    """A policy cannot say anything about a trace. Other policies still decide."""


class TraceView:
    """
    One trace at a time.

    Args:
        read:
            The reader of the columns that some policy wants; see `schema.column_reader`.
    """

    __slots__ = (
        "_attributes",
        "_columns",
        "_facts",
        "_framed",
        "_read",
        "_request",
        "parts",
        "spans",
        "trace_id",
    )

    def __init__(self, read: Reader) -> None:
        self._read = read
        self.show(b"", [], 0)

    def show(self, trace_id: bytes, parts: Parts, spans: int) -> None:
        """Look at another trace; what was read of the one before is forgotten."""
        self.trace_id = trace_id
        self.parts = parts
        self.spans = spans
        self._framed: bytes | None = None
        self._columns: Any = None
        self._facts: tuple[int, int, int, int, int] | None = None
        self._attributes: Any = None
        self._request: bytes | None = None

    @property
    def framed(self) -> bytes:
        """The encoded spans."""
        if self._framed is None:
            self._framed = framed_spans(self.parts)
        return self._framed

    @property
    def columns(self) -> Any:
        """
        The columns of all spans.

        Raises:
            PolicyError: If a span cannot be decoded.
        """
        if self._columns is None:
            self._columns = _decode(self._read, self.framed).span
        return self._columns

    def times(self) -> tuple[list[int], list[int]]:
        """
        Start and end of every span in nanoseconds, in the order of arrival.

        Raises:
            PolicyError: If a span cannot be decoded.
        """
        columns = self.columns
        starts: list[int] = columns.start[:]
        ends: list[int] = columns.end[:]
        if len(starts) == self.spans == len(ends):
            return starts, ends
        # Some span lacks a time, and the columns do not tell which one.
        spans = _decode(EXACT_TIMES, self.framed).spans
        return [span.start for span in spans], [span.end for span in spans]

    def bounds_ns(self) -> tuple[int, int] | None:
        """
        The earliest start and the latest end in nanoseconds; `None` if some span lacks a time.

        Raises:
            PolicyError: If a span cannot be decoded.
        """
        facts = self._read_facts()
        if facts is not None:
            return facts[:2] if facts[2] else None
        starts, ends = self.times()
        first = min(starts)
        return (first, max(ends)) if first and min(ends) else None

    def status_codes(self) -> int:
        """
        The status codes of all spans, code *n* as bit *n*, and bit 3 for what is none.

        Raises:
            PolicyError: If a span cannot be decoded.
        """
        facts = self._read_facts()
        if facts is not None:
            return facts[3]
        codes = self.columns.status.code[:]
        found = int(len(codes) < self.spans)  # A status that is not there is unset.
        for code in set(codes):
            found |= 1 << code if 0 <= code < _CODES else 1 << _CODES
        return found

    def flagged(self) -> bool:
        """
        Whether some span carries the W3C ``sampled`` flag.

        Raises:
            PolicyError: If a span cannot be decoded.
        """
        facts = self._read_facts()
        if facts is not None:
            return bool(facts[4])
        return any(flags & 1 for flags in self.columns.flags)

    def resources(self) -> list[bytes]:
        """The distinct resource heads, in the order of arrival."""
        return list(dict.fromkeys([chunk[1] for chunk in self.parts[::3]]))

    def span_attributes(self) -> Any:
        """
        The attributes of each span.

        Raises:
            PolicyError: If a span cannot be decoded.
        """
        if self._attributes is None:
            self._attributes = [
                span.attributes for span in _decode(SPAN_ATTRIBUTES, self.framed).spans
            ]
        return self._attributes

    def _read_facts(self) -> tuple[int, int, int, int, int] | None:
        """All facts at once by the compiled form; `None` if the columns must be read."""
        if self._facts is None and compiled is not None:
            try:
                self._facts = compiled.facts(self.parts)
            except ValueError as error:
                raise PolicyError("a span is no valid protobuf") from error
        return self._facts

    @property
    def request(self) -> bytes:
        """The trace as an OTLP request."""
        if self._request is None:
            self._request = request_in_order(self.parts)
        return self._request


def resource_attributes(head: bytes) -> Any:
    """
    The attributes of the resource in *head*.

    Raises:
        PolicyError: If it cannot be decoded.
    """
    return _decode(RESOURCE_ATTRIBUTES, head).resource.attributes


def _decode(read: Reader, data: bytes) -> Any:
    try:
        return read(data)
    except DecodeError as error:
        raise PolicyError(f"the trace cannot be decoded: {error}") from error
