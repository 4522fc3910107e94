"""Where items carry what samplers know about them: a span's trace state, a record's attributes."""

from typing import Protocol

from bridge.ottl import Node
from bridge.ottl.attributes import Key
from bridge.processors.probabilistic_sampler.thresholds import (
    parse_randomness,
    parse_threshold,
    show_randomness,
    show_threshold,
)
from bridge.processors.probabilistic_sampler.tracestate import TraceState


class Carrier(Protocol):
    """
    What an item says about its sampling.

    `valid` is false if something of it could not be read.
    """

    valid: bool
    randomness: int | None
    threshold: int | None

    def set_randomness(self, randomness: int) -> None:
        """Note an explicit randomness."""
        ...

    def clear_threshold(self) -> None:
        """Forget a threshold that cannot be true."""
        ...

    def raise_threshold(self, threshold: int) -> None:
        """Note that the item passed *threshold*; a higher one that it passed before stays."""
        ...

    def store(self) -> None:
        """Write everything into the item."""
        ...


class SpanCarrier:
    """The trace state of a span."""

    def __init__(self, span: Node) -> None:
        self._span = span
        self._state = TraceState(span.message.trace_state.decode("utf-8", "surrogateescape"))
        self.valid = self._state.valid
        self.randomness = self._state.randomness
        self.threshold = self._state.threshold

    def set_randomness(self, randomness: int) -> None:
        """Note it; written by `store`."""
        self.randomness = randomness
        self._state.set_randomness(randomness)

    def clear_threshold(self) -> None:
        """Forget it; written by `store`."""
        self.threshold = None
        self._state.set_threshold(None)

    def raise_threshold(self, threshold: int) -> None:
        """Note it; written by `store`."""
        if self.threshold is None or self.threshold <= threshold:
            self._state.set_threshold(threshold)

    def store(self) -> None:
        """Write the trace state."""
        text = str(self._state).encode("utf-8", "surrogateescape")
        if text != self._span.message.trace_state:
            self._span.writable().trace_state = text


_THRESHOLD, _RANDOMNESS = Key("sampling.threshold"), Key("sampling.randomness")


class RecordCarrier:
    """The attributes ``sampling.threshold`` and ``sampling.randomness`` of a log record."""

    def __init__(self, record: Node) -> None:
        self._record = record
        self.valid = True
        self.threshold = self._read(_THRESHOLD, parse_threshold)
        self.randomness = self._read(_RANDOMNESS, parse_randomness)

    def _read(self, key: Key, parse: "_Parse") -> int | None:
        text = self._record.attributes.get(key)
        if type(text) is not str or not text:
            return None
        number = parse(text)
        self.valid &= number is not None
        return number

    def set_randomness(self, randomness: int) -> None:
        """Write it."""
        self.randomness = randomness
        self._record.attributes.set(_RANDOMNESS, show_randomness(randomness))

    def clear_threshold(self) -> None:
        """Remove it."""
        self.threshold = None
        self._record.attributes.remove(_THRESHOLD)

    def raise_threshold(self, threshold: int) -> None:
        """Write it."""
        if self.threshold is None or self.threshold <= threshold:
            self._record.attributes.set(_THRESHOLD, show_threshold(threshold))

    def store(self) -> None:
        """Nothing is left to write."""


class _Parse(Protocol):
    def __call__(self, text: str, /) -> int | None: ...
