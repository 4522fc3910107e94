"""
The decision about one item: its randomness against a threshold.

What cannot be decided (no trace id, an unreadable trace state, one that contradicts itself) fails
closed or open; a priority of the item's own is looked at last and overrides everything.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from bridge.core import Signal
from bridge.ottl import Node, OttlError
from bridge.ottl.attributes import Key
from bridge.ottl.gotext import attribute_text, parse_float
from bridge.ottl.regex import to_bytes
from bridge.processors.probabilistic_sampler.carriers import Carrier, RecordCarrier, SpanCarrier
from bridge.processors.probabilistic_sampler.options import SamplerOptions, to_single
from bridge.processors.probabilistic_sampler.thresholds import (
    ALWAYS,
    BUCKETS,
    MOST_RANDOM,
    NEVER,
    hash_randomness,
    to_probability,
    to_threshold,
    trace_id_randomness,
)

MISSING = "missing_randomness"
PRIORITY = "sampling_priority"


@dataclass(frozen=True, slots=True)
class Chance:
    """The randomness of an item and the policy that it came from."""

    value: int
    policy: str


_NO_CHANCE = Chance(MOST_RANDOM, MISSING)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an item is kept, and the policy that said so."""

    kept: bool
    policy: str


Look = tuple[Chance, Carrier | None, bool]
"""An item's chance, its carrier if that may be written to, and whether all was well."""


class Mode(Protocol):
    """A way to find chances and thresholds."""

    def look(self, item: Node, carrier: Carrier) -> Look:
        """What is known of an item."""
        ...

    def threshold(self, carrier: Carrier | None) -> int:
        """What an item has to reach."""
        ...


class Sampler:
    """Decides about the spans or log records of one processor."""

    def __init__(self, options: SamplerOptions, signal: Signal) -> None:
        self._is_logs = signal is Signal.LOGS
        self._mode = build_mode(options, is_logs=self._is_logs)
        self._otherwise = NEVER if options.fail_closed else ALWAYS
        self._precision = options.sampling_precision
        self._priority_key: Key | None = Key("sampling.priority")
        if self._is_logs:
            self._priority_key = (
                Key(options.sampling_priority) if options.sampling_priority else None
            )

    def judge(self, item: Node) -> Verdict:
        """Decide, and note in a kept item with which threshold."""
        found: Carrier = RecordCarrier(item) if self._is_logs else SpanCarrier(item)
        chance, carrier, sound = self._mode.look(item, found)
        if sound:
            sound = _is_consistent(chance, carrier)
        threshold = self._mode.threshold(carrier) if sound else self._otherwise
        wanted = self._wanted(item)
        if wanted is not None:
            chance, threshold = Chance(chance.value, PRIORITY), wanted
        kept = threshold <= chance.value
        if kept and carrier is not None:
            carrier.raise_threshold(threshold)
            carrier.store()
        return Verdict(kept, chance.policy)

    def _wanted(self, item: Node) -> int | None:
        """The threshold that the item asks for itself."""
        if self._priority_key is None:
            return None
        value = item.attributes.get(self._priority_key)
        if self._is_logs:
            if type(value) not in (int, float) or value == 0:
                return None
            return to_threshold(value / 100, self._precision)
        return _span_priority(value)


def _span_priority(value: Any) -> int | None:
    """Zero asks to be dropped, anything above to be kept."""
    if type(value) is str:
        try:
            value = parse_float(value)
        except OttlError:
            return None
    if type(value) not in (int, float) or not value >= 0:
        return None
    return ALWAYS if value > 0 else NEVER


def _is_consistent(chance: Chance, carrier: Carrier | None) -> bool:
    """Whether an item could have passed the threshold that it says it passed."""
    if chance.policy == MISSING:
        return False
    if carrier is None or carrier.threshold is None or carrier.threshold <= chance.value:
        return True
    carrier.clear_threshold()
    return False


def build_mode(options: SamplerOptions, *, is_logs: bool) -> Mode:
    """The mode that the config asks for."""
    percentage = options.sampling_percentage
    if percentage == 0:
        return _Never()
    ratio = percentage / 100
    if options.mode == "equalizing":
        return _Equalizing(to_threshold(ratio, options.sampling_precision) or ALWAYS)
    if options.mode == "proportional":
        return _Proportional(ratio, options.sampling_precision)
    buckets = int(to_single(percentage * to_single(BUCKETS / 100)))
    if buckets == 0:
        return _Never()
    threshold = (BUCKETS - buckets) << 42
    if not is_logs:
        return _HashOfSpans(threshold, options.hash_seed)
    source = Key(options.from_attribute) if options.from_attribute else None
    by_trace = options.attribute_source == "traceID"
    return _HashOfLogs(threshold, options.hash_seed, source, by_trace=by_trace)


class _Never:
    """Nothing but priorities."""

    def look(self, item: Node, carrier: Carrier) -> Look:
        return Chance(MOST_RANDOM, PRIORITY), carrier, carrier.valid

    def threshold(self, carrier: Carrier | None) -> int:
        return NEVER


class _Consistent:
    """The randomness that an item carries, or that of its trace id."""

    def look(self, item: Node, carrier: Carrier) -> Look:
        if not carrier.valid:
            return _NO_CHANCE, None, False
        if carrier.randomness is not None:
            return Chance(carrier.randomness, "sampling_randomness"), carrier, True
        trace_id = _trace_id(item)
        if trace_id:
            return Chance(trace_id_randomness(trace_id), "trace_id_w3c"), carrier, True
        return _NO_CHANCE, carrier, True


class _Equalizing(_Consistent):
    """One threshold for all, unless an item passed a higher one already."""

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold

    def threshold(self, carrier: Carrier | None) -> int:
        passed = None if carrier is None else carrier.threshold
        return self._threshold if passed is None else max(passed, self._threshold)


class _Proportional(_Consistent):
    """A share of the probability with which an item arrives."""

    def __init__(self, ratio: float, precision: int) -> None:
        self._ratio = ratio
        self._precision = precision

    def threshold(self, carrier: Carrier | None) -> int:
        passed = None if carrier is None else carrier.threshold
        arrived = 1.0 if passed is None else to_probability(passed)
        threshold = to_threshold(arrived * self._ratio, self._precision)
        return NEVER if threshold is None else threshold


class _HashOfSpans:
    """The older hash of the trace id; items that newer samplers marked are not for it."""

    def __init__(self, threshold: int, seed: int) -> None:
        self._threshold = threshold
        self._seed = seed

    def threshold(self, carrier: Carrier | None) -> int:
        return self._threshold

    def look(self, item: Node, carrier: Carrier) -> Look:
        chance = self._chance(item)
        if not carrier.valid or carrier.randomness is not None or carrier.threshold is not None:
            return chance, None, False
        self._mark(chance, carrier)
        return chance, carrier, True

    def _chance(self, item: Node) -> Chance:
        trace_id = _trace_id(item)
        if not trace_id:
            return _NO_CHANCE
        return Chance(hash_randomness(trace_id, self._seed), "trace_id_hash")

    def _mark(self, chance: Chance, carrier: Carrier) -> None:
        carrier.set_randomness(chance.value)


class _HashOfLogs(_HashOfSpans):
    """The same for log records, which may be hashed by an attribute."""

    def __init__(self, threshold: int, seed: int, source: Key | None, *, by_trace: bool) -> None:
        super().__init__(threshold, seed)
        self._source = source
        self._by_trace = by_trace

    def _chance(self, item: Node) -> Chance:
        chance = super()._chance(item) if self._by_trace else _NO_CHANCE
        if chance is not _NO_CHANCE or self._source is None:
            return chance
        if item.attributes.find(self._source) < 0:
            return chance
        value = item.attributes.get(self._source)
        data = value if type(value) is bytes else to_bytes(attribute_text(value))
        return Chance(hash_randomness(data, self._seed), self._source.text) if data else chance

    def _mark(self, chance: Chance, carrier: Carrier) -> None:
        if chance is not _NO_CHANCE:
            carrier.set_randomness(chance.value)


def _trace_id(item: Node) -> bytes:
    """The trace id; empty also if it is all zeros."""
    trace_id: bytes = item.message.trace_id
    return trace_id if trace_id.strip(b"\x00") else b""
