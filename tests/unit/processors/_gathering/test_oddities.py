"""Odd spans are counted by what is odd, and nothing else happens to them."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.processors._gathering import oddities
from bridge.processors._gathering.oddities import EARLIEST_NS, Oddities
from bridge.processors._gathering.scan import scan
from bridge.processors._gathering.trace import HeldBatch, HeldRecord, Trace
from bridge.testing import Order
from tests.unit.processors._gathering.conftest import Rig, ToldJudge, trace_id

NOW_S = 2_000_000_000.0
SOUND = (int(NOW_S * 1e9), int(NOW_S * 1e9) + 5)


def _trace(spans: list[tuple[bytes, int, int]], order: Order) -> Trace:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for span_id, start, end in spans:
        scope.spans.add(
            trace_id=trace_id(1), span_id=span_id, start_time_unix_nano=start,
            end_time_unix_nano=end,
        )  # fmt: skip
    return _as_trace(order.encode(request), len(spans))


def _as_trace(body: bytes, spans: int) -> Trace:
    trace = Trace(trace_id(1))
    record = HeldRecord(HeldBatch(None, 1), 0)
    scopes = scan(body)
    for _, resource, scope, ranges in scopes:
        for _, start, stop, count in ranges:
            trace.add((body, resource, scope, record), start, stop, count)
    assert trace.spans == spans
    return trace


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(
    ("spans", "odd"),
    [
        ([(b"a" * 8, *SOUND), (b"b" * 8, *SOUND)], {}),
        ([(b"a" * 8, *SOUND), (b"a" * 8, *SOUND)], {"equal_span_id": 1}),
        ([(b"a" * 8, SOUND[1], SOUND[0])], {"ends_before_start": 1}),
        ([(b"a" * 8, 5, 7), (b"b" * 8, *SOUND)], {"time": 1}),
        ([(b"a" * 8, 0, 0), (b"b" * 8, *SOUND)], {"time": 1}),
        ([(b"a" * 8, EARLIEST_NS * 5, EARLIEST_NS * 5)], {"time": 1}),
        ([(b"a" * 8, *SOUND), (b"a" * 8, *SOUND), (b"a" * 8, *SOUND)], {"equal_span_id": 2}),
        ([(b"a" * 8, SOUND[1], SOUND[0]), (b"b" * 8, SOUND[0], 0)], {}),
        ([(bytes([n]) * 8, *SOUND) for n in range(1, 200)], {}),
        (
            [(b"short", *SOUND), (b"short", 7, 5)],
            {"equal_span_id": 1, "ends_before_start": 1, "time": 1},
        ),
    ],
)
def test_oddities_are_counted(
    spans: list[tuple[bytes, int, int]],
    odd: dict[str, int],
    order: Order,
    compiled: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each by its name, in both orders of fields and both forms."""
    if not compiled:
        monkeypatch.setattr(oddities, "compiled", None)
    rig = Rig(ToldJudge())
    Oddities(rig.telemetry, lambda: NOW_S).look(_trace(spans, order))

    found = {name: counter.value for name, counter in rig.telemetry.odd.items() if counter.value}
    assert found == odd


def test_oddities_of_broken_spans_are_none_of_ours() -> None:
    """What is no protobuf is told by whoever decodes it."""
    rig = Rig(ToldJudge())
    trace = Trace(trace_id(1))
    record = HeldRecord(HeldBatch(None, 1), 0)
    trace.add((b"\x12\x05abc", b"", b"", record), 0, 5, 1)
    Oddities(rig.telemetry, lambda: NOW_S).look(trace)

    assert not any(counter.value for counter in rig.telemetry.odd.values())
