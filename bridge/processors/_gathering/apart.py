"""The traces of one request, for who looks at them without a pipeline."""

from bridge.processors._gathering.scan import scan
from bridge.processors._gathering.trace import HeldBatch, HeldRecord, Parts


def traces_of(body: bytes) -> dict[bytes, tuple[Parts, int]]:
    """
    Ranges and number of the spans of each trace in *body*, by trace id, in the order of arrival.

    Raises:
        Malformed: If *body* is no request of traces.
    """
    record = HeldRecord(HeldBatch(None, 1), 0)
    traces: dict[bytes, tuple[Parts, int]] = {}
    for _, resource, scope, ranges in scan(body):
        for trace_id, start, stop, spans in ranges:
            parts, count = traces.get(trace_id, ([], 0))
            parts.extend(((body, resource, scope, record), start, stop))
            traces[trace_id] = parts, count + spans
    return traces
