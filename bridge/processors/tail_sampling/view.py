"""A trace as policies see it: everything is read when it is first asked for, and once."""

from typing import Any

from google.protobuf.message import DecodeError

from bridge.processors._gathering import Parts, Reader, framed_spans, request_in_order
from bridge.processors.tail_sampling.schema import (
    EXACT_TIMES,
    RESOURCE_ATTRIBUTES,
    SPAN_ATTRIBUTES,
)


class PolicyError(Exception):
    """A policy cannot say anything about a trace. Other policies still decide."""


class TraceView:
    """
    One trace at a time.

    Args:
        read:
            The reader of the columns that some policy wants; see `schema.column_reader`.
    """

    __slots__ = ("_attributes", "_columns", "_framed", "_read", "_request", "parts", "spans",
                 "trace_id")  # fmt: skip

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
