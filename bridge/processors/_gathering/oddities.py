"""
What is odd about spans that are sampled: counted, and delivered all the same.

Nothing here changes a decision. Looked at are sampled traces only, since what no policy looks at is
not decoded otherwise, and what is not sampled reaches nobody who could stumble over it.
"""

from collections.abc import Callable
from operator import lt

from google.protobuf.message import DecodeError

from bridge.processors._gathering.native import compiled
from bridge.processors._gathering.request import framed_spans
from bridge.processors._gathering.schema import BYTES, FIXED64, Field, make_reader
from bridge.processors._gathering.telemetry import ODDITIES, Telemetry
from bridge.processors._gathering.trace import Trace

EARLIEST_NS = 946_684_800 * 1_000_000_000
"""The year 2000: no span began before, so a start before it is no time, or one in other units."""

AHEAD_NS = 86_400 * 1_000_000_000
"""A day: more than any clock or time zone is ahead."""

_READER = make_reader(
    {
        "Scope": [Field("span", 2, "Span")],
        "Span": [
            Field("span_id", 2, BYTES, repeated=True),
            Field("start", 7, FIXED64, repeated=True),
            Field("end", 8, FIXED64, repeated=True),
        ],
    }
)


class Oddities:
    """
    Counts odd spans of sampled traces, by what is odd about them.

    Args:
        wall: Seconds since the epoch.
    """

    def __init__(self, telemetry: Telemetry, wall: Callable[[], float]) -> None:
        self._counts = telemetry.odd
        self._wall = wall

    def look(self, *traces: Trace) -> None:
        """Look at sampled traces."""
        latest = int(self._wall() * 1e9) + AHEAD_NS
        for trace in traces:
            found = None if compiled is None else compiled.oddities(trace, EARLIEST_NS, latest)
            if found is None:
                self.look_in_python(trace, latest)
            elif any(found):
                for oddity, count in zip(ODDITIES, found, strict=True):
                    self._counts[oddity].value += count

    def look_in_python(self, trace: Trace, latest: int) -> None:
        """The same without the compiled form; *latest* is the last time that is none of another."""
        spans = trace.spans
        try:
            found = _READER(framed_spans(trace.parts)).span
        except DecodeError:
            return  # Whoever decodes them in full will say so.
        ids, starts, ends = found.span_id, found.start, found.end
        equal = len(ids) - len(set(ids))
        if equal:
            self._counts["equal_span_id"].value += equal
        # Zero is not written: a span without a start began in 1970.
        elsewhen = spans - len(starts)
        if starts and (min(starts) < EARLIEST_NS or max(starts) > latest):
            elsewhen += sum(not EARLIEST_NS <= start <= latest for start in starts)
        if elsewhen > 0:
            self._counts["time"].value += elsewhen
        if len(starts) == len(ends) == spans and any(map(lt, ends, starts)):
            self._counts["ends_before_start"].value += sum(map(lt, ends, starts))
