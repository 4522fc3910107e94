"""One span, and many as a request."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Batch, Origin, Receipt, Record, Signal, Unavailable
from bridge.service.own_traces import Span, encode
from bridge.service.own_traces.spans import attributes_of, verb_of
from bridge.service.places import Place


@dataclass(frozen=True)
class Partition:
    """Of a custody what is told."""

    topic: str = "spans"
    partition: int = 3


def span(verb: str = "process") -> Span:
    """One that has begun."""
    return Span(b"t" * 16, b"s" * 8, b"p" * 8, verb, f"{verb} it", 1_000, {"bridge.items": 7})


@pytest.mark.parametrize(
    ("name", "type_name", "verb"),
    [
        ("receivers/otlp", "otlp", "receive"),
        ("receivers/kafka/in", "kafka", "consume"),
        ("processors/batch", "batch", "process"),
        ("exporters/kafka", "kafka", "produce"),
        ("exporters/otlp_http/b", "otlp_http", "deliver"),
    ],
)
def test_verb_tells_what_a_stage_does(name: str, type_name: str, verb: str) -> None:
    """By kind of component, Kafka apart."""
    assert verb_of(Place(name, type_name, "", begins=True)) == verb


def test_attributes_say_where_data_came_from_and_nothing_of_it() -> None:
    """Names and sizes, and of a Kafka batch where it stood."""
    custody: Any = Partition()
    records = (Record(40, 0, 0, 1), Record(41, 0, 1, 2))
    batch = Batch(Signal.TRACES, b"secret", 2, Origin("kafka", custody=custody, records=records))
    place = Place("receivers/kafka", "kafka", "", begins=True)

    assert attributes_of(place, batch) == {
        "bridge.component": "receivers/kafka",
        "bridge.signal": "traces",
        "bridge.items": 2,
        "bridge.body_bytes": 6,
        "messaging.system": "kafka",
        "messaging.destination.name": "spans",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 40,
        "messaging.batch.message_count": 2,
    }


@pytest.mark.parametrize(
    ("outcome", "error", "message"),
    [
        (Receipt(), "", ""),
        (Unavailable("not now " + "x" * 400), "Unavailable", ("not now " + "x" * 400)[:256]),
        (asyncio.CancelledError(), "CancelledError", ""),
        (None, "CancelledError", ""),
    ],
)
def test_end_notes_the_outcome(outcome: Any, error: str, message: str) -> None:
    """An error by its name, with the beginning of its text."""
    made = span()
    made.end(2_000, outcome)
    request = ExportTraceServiceRequest.FromString(encode([made], {"service.name": "b"}))
    (told,) = request.resource_spans[0].scope_spans[0].spans

    assert (told.status.code, told.status.message) == (2 if error else 0, message)
    attributes = {each.key: each.value.string_value for each in told.attributes}
    assert attributes.get("error.type", "") == error
    assert (told.start_time_unix_nano, told.end_time_unix_nano) == (1_000, 2_000)


def test_end_never_lies_before_the_start() -> None:
    """The wall clock may jump back."""
    made = span()
    made.end(5, Receipt(rejected_items=2))

    assert made.end_ns == made.start_ns
    assert made.attributes["bridge.items.rejected"] == 2


def test_encode_joins_spans_under_one_resource() -> None:
    """With ids, kinds and attributes of the right type."""
    request = ExportTraceServiceRequest.FromString(
        encode([span("receive"), span("produce")], {"service.name": "b", "process.pid": 4})
    )
    (resource,) = request.resource_spans
    spans = resource.scope_spans[0].spans

    assert [
        (each.key, each.value.WhichOneof("value")) for each in resource.resource.attributes
    ] == [
        ("service.name", "string_value"),
        ("process.pid", "int_value"),
    ]
    assert [(each.name, each.kind) for each in spans] == [("receive it", 2), ("produce it", 4)]
    assert spans[0].trace_id == b"t" * 16
    assert spans[0].parent_span_id == b"p" * 8
