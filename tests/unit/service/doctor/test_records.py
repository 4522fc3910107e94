"""What the doctor makes of records that are there already."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.kafka import Hasher, SampledRecord, trace_partitions
from bridge.service.doctor.records import judge_clock, judge_places, place
from bridge.testing import trace_request
from tests.unit.service.doctor.making import cluster, writing

PARTITIONS = 6


def record(
    partition: int, value: bytes, key: bytes | None = None, **headers: bytes
) -> SampledRecord:
    """A record at offset 0, stamped one second after the epoch."""
    named = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    return SampledRecord("otlp_spans", partition, 0, 1000, key, value, named)


def traces(hasher: Hasher, *, packed: bool, count: int = 60) -> list[SampledRecord]:
    """One record a trace, placed by *hasher*, packed or keyed."""
    made = []
    for seed in range(count):
        body = trace_request(seed=seed).body
        spans = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
        (partition,) = trace_partitions([spans[0].trace_id], PARTITIONS, hasher)
        if packed:
            made.append(record(partition, body, bridge_packing=b"partition"))
        else:
            # A key decides alone: the value need not be read, whatever its encoding is.
            made.append(record(partition, b"\xff", spans[0].trace_id.hex().encode()))
    return made


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("hasher", ["sarama_compat", "murmur2"])
def test_traces_are_found_where_their_hash_wants_them(hasher: Hasher, packed: bool) -> None:
    """By their bodies if packed, by their keys if not."""
    placed = place(traces(hasher, packed=packed), PARTITIONS)

    assert (placed.traces, placed.right[hasher], placed.split, placed.unreadable) == (60, 60, 0, 0)
    assert min(placed.right.values()) < 30


def codes(records: list[SampledRecord], ours: frozenset[Hasher], keeps: bool = True) -> list[str]:
    """Codes of what is found."""
    judged = judge_places(
        cluster(writing()), "otlp_spans", PARTITIONS, records, ours, keeps_traces=keeps
    )
    return [one.code for one in judged]


def test_writers_that_hash_otherwise_are_an_error() -> None:
    """If we write there too; a mere reader does not care which hash it is."""
    records = traces("murmur2", packed=True)

    assert codes(records, frozenset({"sarama_compat"})) == ["BR-3401"]
    assert codes(records, frozenset({"murmur2"})) == ["BR-3000"]
    assert codes(records, frozenset()) == ["BR-3000"]


def test_traces_anywhere_are_an_error_where_they_are_needed_whole() -> None:
    """A topic of others that only passes through may be written as they like."""
    value = trace_request(traces=60, seed=1).body
    spread = [record(number % PARTITIONS, value) for number in range(PARTITIONS)]

    assert place(spread, PARTITIONS).split == 60
    assert codes(spread, frozenset()) == ["BR-3401"]
    assert codes(spread, frozenset(), keeps=False) == ["BR-3000"]


def test_records_of_another_encoding_are_told() -> None:
    """JSON is no protobuf."""
    assert codes([record(0, b'{"resourceSpans": []}')], frozenset()) == ["BR-3402"]


def test_no_records_are_nothing_to_compare_with() -> None:
    """An empty topic is worth knowing, not wrong."""
    assert codes([], frozenset({"sarama_compat"})) == ["BR-3403"]


@pytest.mark.parametrize(("now_s", "found"), [(1.0, []), (-1.0, []), (-1.1, ["BR-3404"])])
def test_clock_is_judged_by_records_from_the_future(now_s: float, found: list[str]) -> None:
    """Two seconds are jitter."""
    judged = judge_clock(cluster(), "otlp_spans", "LogAppendTime", [record(0, b"")], now_s)

    assert [one.code for one in judged] == found


@pytest.mark.parametrize(
    ("stamps", "behind_s", "whose"),
    [
        ("LogAppendTime", [3.0, 3.0, 0.0], "the brokers' clock is behind"),
        ("CreateTime", [3.0, 3.0, 3.0], "the clock of writers is behind"),
        ("LogAppendTime", [2.0, 2.0, 2.0], ""),
        ("LogAppendTime", [600.0, 0.0, 0.0], ""),
        ("LogAppendTime", [], ""),
    ],
)
def test_clock_is_judged_by_spans_that_end_after_their_record(
    stamps: str, behind_s: list[float], whose: str
) -> None:
    """Most of them must; one application with a wrong clock is its own affair."""
    records = []
    for by_s in behind_s:
        request = ExportTraceServiceRequest.FromString(trace_request().body)
        request.resource_spans[0].scope_spans[0].spans[0].end_time_unix_nano = round(
            (1.0 + by_s) * 1e9
        )
        records.append(record(0, request.SerializeToString()))
    judged = judge_clock(cluster(), "otlp_spans", stamps, [*records, record(0, b"\xff")], 1.0)

    assert [one.code for one in judged] == ["BR-3404"] * bool(whose)
    assert all(whose in one.cause for one in judged)
