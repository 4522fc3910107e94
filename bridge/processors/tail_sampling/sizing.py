"""Traces that are larger than one may be, measured as the Collector does."""

from google.protobuf.message import DecodeError

from bridge.core import Counter
from bridge.processors._gathering import Decision, Parts
from bridge.processors._gathering.schema import BYTES, Field, make_reader
from bridge.processors.tail_sampling.judge import PolicyJudge

_ALWAYS_WRITTEN = make_reader(
    {
        "Scope": [Field("span", 2, "Span")],
        "Span": [
            Field("trace_id", 1, BYTES, repeated=True),
            Field("span_id", 2, BYTES, repeated=True),
            Field("parent_span_id", 4, BYTES, repeated=True),
            Field("status", 15, BYTES, repeated=True),
        ],
    }
)
"""What the Collector writes also where it is empty, in two bytes that an SDK leaves out."""

_EMPTY_BYTES = 2


class SizeJudge:
    """
    Samples nothing that is larger than *bytes_max*, and asks *judge* about the rest.

    The Collector counts what it would write: each resource and scope once for every request that
    they came in. The engine, which looks at spans only, has told of giants before.

    Args:
        too_large: Counts the traces that are too large.
    """

    def __init__(self, judge: PolicyJudge, bytes_max: int, too_large: Counter) -> None:
        self.jurors = judge.jurors
        self._judge = judge
        self._bytes_max = bytes_max
        self._too_large = too_large

    def decide(self, trace_id: bytes, parts: Parts, spans: int) -> Decision:
        """The decision of *judge*, unless the trace is too large."""
        if self._is_too_large(parts, spans):
            return Decision.NOT_SAMPLED
        return self._judge.decide(trace_id, parts, spans)

    def decide_and_name(self, trace_id: bytes, parts: Parts, spans: int) -> tuple[Decision, str]:
        """The same decision, and the policy that settles it; empty if none does."""
        if self._is_too_large(parts, spans):
            return Decision.NOT_SAMPLED, ""
        return self._judge.decide_and_name(trace_id, parts, spans)

    def _is_too_large(self, parts: Parts, spans: int) -> bool:
        too_large = encoded_bytes(parts, spans) > self._bytes_max
        self._too_large.value += too_large
        return too_large


def encoded_bytes(parts: Parts, spans: int) -> int:
    """
    The bytes of a trace as the Collector would write it: each resource with its scopes.

    Resources that are equal and follow each other in one record count as one.
    """
    total, scope_bytes, framed = 0, 0, []
    last = None
    flat = iter(parts)
    for chunk, start, stop in zip(flat, flat, flat, strict=True):
        body, resource, scope, record = chunk
        if last is None or last[3] is not record or last[1] != resource:
            total += len(resource) or _EMPTY_BYTES
        if last is not chunk:
            total += _framed_bytes(scope_bytes)
            scope_bytes = len(scope) or _EMPTY_BYTES
        scope_bytes += stop - start
        framed.append(body[start:stop])
        last = chunk
    return total + _framed_bytes(scope_bytes) + _left_out_bytes(b"".join(framed), spans)


def _framed_bytes(content: int) -> int:
    """*content* bytes with their tag and length; nothing for none."""
    return content and 1 + max(1, (content.bit_length() + 6) // 7) + content


def _left_out_bytes(framed: bytes, spans: int) -> int:
    try:
        found = _ALWAYS_WRITTEN(framed).span
    except DecodeError:
        return 0  # Whoever decodes it in full will say so.
    written = sum(map(len, (found.trace_id, found.span_id, found.parent_span_id, found.status)))
    return max(0, 4 * spans - written) * _EMPTY_BYTES
