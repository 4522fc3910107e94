"""What was seen lately: rates and plots. Pure but for the clock."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bridge.core import Clock, View
from bridge.extensions.admin.figures import FigureBook

SAMPLES_MAX = 150
"""Five minutes at an interval of two seconds."""

RATE_SAMPLES = 5
"""A rate is taken over so many steps: long enough to be steady, short enough to be now."""

POLICIES_MAX = 24
"""Policies that have a plot of their own; the table has them all."""

ITEMS = ("spans", "metric_points", "log_records")

Key = tuple[str, str]
"""What is counted, and of whom: ``("accepted", "otlp")``."""

_COUNTED = (
    ("accepted", "otelcol_receiver_accepted_{items}", "receiver"),
    ("refused", "otelcol_receiver_refused_{items}", "receiver"),
    ("sent", "otelcol_exporter_sent_{items}", "exporter"),
    ("failed", "otelcol_exporter_send_failed_{items}", "exporter"),
    ("incoming", "otelcol_processor_incoming_items", "processor"),
    ("outgoing", "otelcol_processor_outgoing_items", "processor"),
    ("filtered", "otelcol_processor_filter_spans_filtered", "filter"),
    ("filtered", "otelcol_processor_filter_logs_filtered", "filter"),
    ("filtered", "otelcol_processor_filter_datapoints_filtered", "filter"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Counts and levels at one moment of the monotonic clock, in seconds."""

    at_s: float
    wall_s: float
    counts: Mapping[Key, float]
    levels: Mapping[str, float]


class History:
    """The last `SAMPLES_MAX` samples."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=SAMPLES_MAX)

    def add(self, views: Sequence[View]) -> None:
        """Note what *views* show now."""
        book = FigureBook(views)
        self._samples.append(
            Sample(self._clock.monotonic(), self._clock.wall(), counts_of(book), levels_of(book))
        )

    def rates(self, book: FigureBook) -> "Rates":
        """How fast the counts of *book* grow, by the samples before it."""
        now = Sample(self._clock.monotonic(), self._clock.wall(), counts_of(book), {})
        before = self._samples[-min(RATE_SAMPLES, len(self._samples))] if self._samples else now
        return Rates(before, now)

    def plots(self) -> dict[str, Any]:
        """
        Times (seconds since the epoch) and, by name, as many values.

        Names that end with ``_per_s`` are items, traces or records a second since the sample
        before; the others are levels.
        """
        samples = list(self._samples)
        pairs = list(pairwise(samples))
        shown: dict[str, list[float]] = {
            name: [round(Rates(one, two).total(what), 3) for one, two in pairs]
            for name, what in (("refused_per_s", "refused"), ("dead_letters_per_s", "letters"))
        }
        for way, what in (("in", "accepted"), ("out", "sent")):
            # Both tiers in one process: what comes from Kafka has come before.
            for side, of_kafka in (("kafka", True), ("otlp", False)):
                shown[f"{side}_{way}_per_s"] = [
                    round(Rates(one, two).total(what, of_kafka=of_kafka), 3) for one, two in pairs
                ]
        for name, word in (("sampled_per_s", "true"), ("not_sampled_per_s", "false")):
            shown[name] = [round(Rates(one, two).of("decided", word), 3) for one, two in pairs]
        for name in samples[-1].levels if samples else ():
            shown[name] = [round(two.levels.get(name, 0.0), 3) for _, two in pairs]
        policies = (
            [whose for what, whose in samples[-1].counts if what == "sampled"] if samples else []
        )
        return {
            "times": [round(two.wall_s, 3) for _, two in pairs],
            "series": shown,
            "sampled_per_s_by_policy": {
                policy: [round(Rates(one, two).of("sampled", policy), 3) for one, two in pairs]
                for policy in policies[:POLICIES_MAX]
            },
        }


class Rates:
    """What grew between two samples."""

    def __init__(self, before: Sample, now: Sample) -> None:
        self._before = before
        self._now = now
        self._elapsed_s = now.at_s - before.at_s

    def of(self, what: str, whose: str) -> float:
        """Growth a second; 0 while there is nothing to compare with."""
        return self._per_s(((what, whose),))

    def total(self, what: str, *, of_kafka: bool | None = None) -> float:
        """The same of everyone together, or of those that are Kafka's, or of all others."""
        return self._per_s(
            key
            for key in self._now.counts
            if key[0] == what and of_kafka in (None, key[1].partition("/")[0] == "kafka")
        )

    def _per_s(self, keys: Iterable[Key]) -> float:
        if self._elapsed_s <= 0:
            return 0.0
        before, now = self._before.counts, self._now.counts
        # A worker that ended and was not asked yet takes its counts along for a moment.
        grown = sum(max(0.0, now.get(key, 0.0) - before.get(key, 0.0)) for key in keys)
        return grown / self._elapsed_s


def counts_of(book: FigureBook) -> dict[Key, float]:
    """The counts that rates are made of."""
    counts: dict[Key, float] = {}
    for what, name, label in _COUNTED:
        for each in {name.format(items=items) for items in ITEMS}:
            for whose, value in book.by_label(each, label).items():
                counts[what, whose] = counts.get((what, whose), 0.0) + value
    for series in book.series("otelcol_processor_tail_sampling_count_traces_sampled"):
        if series.labels.get("sampled") == "true":
            key = ("sampled", series.labels.get("policy", ""))
            counts[key] = counts.get(key, 0.0) + series.value
    sampled = "otelcol_processor_tail_sampling_global_count_traces_sampled"
    for word in ("true", "false"):
        counts["decided", word] = book.total(sampled, sampled=word)
    counts["letters", ""] = book.total("bridge_kafka_receiver_dead_letters")
    name = "otelcol_kafka_receiver_records"
    for series in book.series(name):
        key = ("records", f"{series.labels.get('topic')}/{series.labels.get('partition')}")
        counts[key] = counts.get(key, 0.0) + series.value
    return counts


def levels_of(book: FigureBook) -> dict[str, float]:
    """The levels that are plotted: records, seconds, bytes and traces."""
    undecided = [f"bridge_processor_{kind}_undecided" for kind in ("tail_sampling", "groupbytrace")]
    return {
        "lag_records": book.total("otelcol_kafka_receiver_offset_lag"),
        "lag_s": book.most("bridge_kafka_receiver_lag"),
        "in_flight_bytes": book.total("bridge_receiver_in_flight_bytes")
        + book.total("bridge_kafka_receiver_window_bytes"),
        "undecided_traces": sum(book.total(f"{name}_traces") for name in undecided),
        "undecided_bytes": sum(book.total(f"{name}_bytes") for name in undecided),
        "memory_bytes": book.total("otelcol_process_memory_rss"),
    }
