"""Policies that look at the spans of a trace as such: times, status, number, flags, state."""

from collections.abc import Sequence
from fractions import Fraction

from bridge.processors._gathering import Decision, compiled
from bridge.processors.tail_sampling.policies.trace_state import value_of
from bridge.processors.tail_sampling.policy import NO_COLUMNS, Rule
from bridge.processors.tail_sampling.view import TraceView

_SAMPLED, _NOT_SAMPLED = Decision.SAMPLED, Decision.NOT_SAMPLED

_MASK_64 = (1 << 64) - 1
_SIGN_64 = 1 << 63
_NS_PER_MS = 1_000_000

# The kinds of rules that `_gathering/_taking.c` knows.
_ALWAYS, _LATENCY, _STATUS_CODES, _PROBABLE, _SPAN_COUNT, _FLAGGED = range(6)

_FNV_PRIME = 0x100000001B3
_FNV_START = 0xCBF29CE484222325
DEFAULT_SALT = "default-hash-seed"
_ID_BYTES = 16

STATUS_CODES = {"UNSET": 0, "OK": 1, "ERROR": 2}


class AlwaysSample:
    """Samples every trace."""

    columns = NO_COLUMNS

    def evaluate(self, view: TraceView) -> Decision:
        """Sample."""
        return _SAMPLED

    def rule(self) -> Rule | None:
        """Without numbers."""
        return _ALWAYS, 0, 0


class Latency:
    """Samples by the time from the earliest start to the latest end, see `LatencyOptions`."""

    columns = frozenset({"start", "end"})

    def __init__(self, threshold_ms: int, upper_threshold_ms: int) -> None:
        self._threshold_ms = threshold_ms
        self._upper_ms = upper_threshold_ms

    def evaluate(self, view: TraceView) -> Decision:
        """Compare the length of the trace, or of a beginning of it, with the bounds."""
        # A time of 0 counts as unset until another one comes, which depends on the order.
        if self._upper_ms == 0 and (bounds := view.bounds_ns()) is not None:
            first, last = bounds
            if first < _SIGN_64 > last:
                matches = _milliseconds(last - first) >= self._threshold_ms
                return _SAMPLED if matches else _NOT_SAMPLED
        return self._span_by_span(*view.times())

    def rule(self) -> Rule | None:
        """With the bound; an upper one depends on the order of the spans."""
        return None if self._upper_ms else (_LATENCY, self._threshold_ms, 0)

    def _span_by_span(self, starts: Sequence[int], ends: Sequence[int]) -> Decision:
        first = last = 0
        low, high = self._threshold_ms, self._upper_ms
        for start, end in zip(starts, ends, strict=True):
            if first == 0 or start < first:
                first = start
            if last == 0 or end > last:
                last = end
            length_ms = _milliseconds(_signed(last) - _signed(first))
            if length_ms >= low if high == 0 else low < length_ms <= high:
                return _SAMPLED
        return _NOT_SAMPLED


def _signed(time_ns: int) -> int:
    """The Collector reads the unsigned nanoseconds of OTLP as signed ones."""
    return time_ns - (1 << 64) if time_ns >= _SIGN_64 else time_ns


def _milliseconds(duration_ns: int) -> int:
    """Whole milliseconds toward zero, of a duration that stays within 64 bits."""
    duration_ns = max(-_SIGN_64, min(duration_ns, _SIGN_64 - 1))
    if duration_ns >= 0:
        return duration_ns // _NS_PER_MS
    return -(-duration_ns // _NS_PER_MS)


class StatusCode:
    """Samples traces in which a span has one of some status codes."""

    columns = frozenset({"status"})

    def __init__(self, names: Sequence[str]) -> None:
        self._wanted = 0
        for name in names:
            self._wanted |= 1 << STATUS_CODES[name]

    def evaluate(self, view: TraceView) -> Decision:
        """Look for the codes; a span without a status is unset."""
        return _SAMPLED if view.status_codes() & self._wanted else _NOT_SAMPLED

    def rule(self) -> Rule | None:
        """With the codes as bits."""
        return _STATUS_CODES, self._wanted, 0


class SpanCount:
    """Samples traces with a number of spans within bounds."""

    columns = NO_COLUMNS

    def __init__(self, min_spans: int, max_spans: int) -> None:
        self._min = min_spans
        self._max = max_spans

    def evaluate(self, view: TraceView) -> Decision:
        """Compare the number of spans with the bounds, both inclusive."""
        enough = view.spans >= self._min
        return _SAMPLED if enough and (not self._max or view.spans <= self._max) else _NOT_SAMPLED

    def rule(self) -> Rule | None:
        """With both bounds."""
        return (_SPAN_COUNT, self._min, self._max) if min(self._min, self._max) >= 0 else None


class TraceFlags:
    """Samples traces in which a span carries the W3C ``sampled`` flag."""

    columns = frozenset({"flags"})

    def evaluate(self, view: TraceView) -> Decision:
        """Look at the lowest bit of the flags."""
        return _SAMPLED if view.flagged() else _NOT_SAMPLED

    def rule(self) -> Rule | None:
        """Without numbers."""
        return _FLAGGED, 0, 0


class TraceState:
    """Samples traces in which a span's tracestate has one of some values under a key."""

    columns = frozenset({"trace_state"})

    def __init__(self, key: str, values: Sequence[str]) -> None:
        self._key = key.encode()
        # No tracestate can hold a longer entry; the Collector ignores such values too.
        self._values = {value.encode() for value in values if value and len(key) + len(value) < 256}

    def evaluate(self, view: TraceView) -> Decision:
        """Parse each distinct tracestate; one that is not valid matches nothing."""
        for state in set(view.columns.trace_state):
            if value_of(state, self._key) in self._values:
                return _SAMPLED
        return _NOT_SAMPLED


class Probabilistic:
    """Samples a share of the traces by a hash of their ids."""

    columns = NO_COLUMNS

    def __init__(self, hash_salt: str, sampling_percentage: float) -> None:
        self._threshold = threshold(sampling_percentage)
        self._salted = fnv1a_64((hash_salt or DEFAULT_SALT).encode(), _FNV_START)

    def evaluate(self, view: TraceView) -> Decision:
        """Compare the hash of salt and id with the share of all hashes."""
        if self._threshold == _MASK_64:
            return _SAMPLED
        trace_id = view.trace_id or bytes(_ID_BYTES)
        return _SAMPLED if fnv1a_64(trace_id, self._salted) <= self._threshold else _NOT_SAMPLED

    def rule(self) -> Rule | None:
        """With the largest hash that is sampled, and the state after the salt."""
        return _PROBABLE, self._threshold, self._salted


def fnv1a_64(data: bytes, state: int) -> int:
    """
    Go on with a 64-bit FNV-1a hash from *state*.

    Four bytes a turn: what is above 64 bits never comes down again, so it may be cut off later.
    """
    if compiled is not None:
        hashed: int = compiled.fnv1a_64(data, state)
        return hashed
    prime = _FNV_PRIME
    four = iter(data)
    for a, b, c, d in zip(four, four, four, four, strict=False):
        state = (state ^ a) * prime
        state = (state ^ b) * prime
        state = (state ^ c) * prime
        state = (state ^ d) * prime & _MASK_64
    for byte in data[len(data) & ~3 :]:
        state = (state ^ byte) * prime & _MASK_64
    return state


def threshold(percentage: float) -> int:
    """
    The largest hash that is sampled.

    The product of the largest hash and the ratio is rounded to 64 significant bits before it is cut
    to an integer, as the Collector's arithmetic does: the last digits decide about real traces.
    """
    exact = Fraction(percentage / 100) * _MASK_64
    if exact <= 0:
        return 0
    if exact >= _MASK_64:
        return _MASK_64
    shift = 64 - (exact.numerator // exact.denominator).bit_length()
    return min(round(exact * (1 << shift)) >> shift, _MASK_64)
