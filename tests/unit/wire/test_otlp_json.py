"""OTLP/JSON against protobuf's own reader and writer."""

import base64
import json
import math
import random
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Malformed, Signal, TooLarge
from bridge.wire import otlp_json

REQUESTS: dict[Signal, type[Message]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
WIDE, NARROW = (-(2**63), 2**63 - 1), (-(2**31), 2**31 - 1)
BOUNDS = {
    FieldDescriptor.TYPE_INT64: WIDE,
    FieldDescriptor.TYPE_SINT64: WIDE,
    FieldDescriptor.TYPE_SFIXED64: WIDE,
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: NARROW,
    FieldDescriptor.TYPE_SINT32: NARROW,
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
}
IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
DEPTH_MAX = 8
SEEDS = range(400)
TEXTS = ("", "a", "käse", '"\\\n', "\N{GRINNING FACE}")
FLOATS = (0.0, -0.0, 1.5, -2e300, 5e-324, 7, 2**53, "NaN", "Infinity", "-Infinity", "1.5")


def make_message(rng: random.Random, descriptor: Any, depth: int = 0) -> dict[str, Any]:
    """An object of a message type with some of its fields, ids in hex, oneofs respected."""
    document: dict[str, Any] = {}
    oneofs: set[str] = set()
    fields = [
        field for field in descriptor.fields if field.message_type is None or depth < DEPTH_MAX
    ]
    chosen = rng.sample(fields, min(len(fields), rng.randint(1, 4)))
    # The repeated parts of an envelope are what leads to everything else.
    chosen += [field for field in fields if depth < 3 and field.is_repeated and field.message_type]
    for field in chosen:
        if field.containing_oneof is not None:
            if field.containing_oneof.name in oneofs:
                continue
            oneofs.add(field.containing_oneof.name)
        count = rng.randint(0, 2) if field.is_repeated else 1
        members = [make_value(rng, field, depth) for _ in range(count)]
        document[field.json_name] = members if field.is_repeated else members[0]
    return document


def make_value(rng: random.Random, field: Any, depth: int) -> Any:
    """A value of a field in one of its spellings."""
    if field.message_type is not None:
        return make_message(rng, field.message_type, depth + 1)
    if field.json_name in IDS:
        text = rng.randbytes(IDS[field.json_name]).hex()
        return rng.choice([text, text.upper(), ""])
    if field.type == field.TYPE_STRING:
        return rng.choice(TEXTS)
    if field.type == field.TYPE_BYTES:
        return base64.b64encode(rng.randbytes(rng.randint(0, 5))).decode()
    if field.type == field.TYPE_BOOL:
        return rng.choice([True, False])
    if field.type == field.TYPE_DOUBLE:
        return rng.choice(FLOATS)
    if field.type == field.TYPE_ENUM:
        return rng.randint(0, 30)
    low, high = BOUNDS[field.type]
    value = rng.choice([0, 1, low, high, rng.randint(low, high)])
    return rng.choice([value, str(value)])


def make_documents(seed: int) -> Iterator[tuple[Signal, Any]]:
    """One document of each signal."""
    rng = random.Random(seed)
    for signal, request in REQUESTS.items():
        yield signal, make_message(rng, request.DESCRIPTOR)


def with_ids(value: Any, convert: Any) -> Any:
    """*value* with each id converted."""
    if isinstance(value, dict):
        return {
            key: convert(member) if key in IDS else with_ids(member, convert)
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [with_ids(member, convert) for member in value]
    return value


def to_base64(text: str) -> str:
    """A hex id as protobuf's reader wants it."""
    return base64.b64encode(bytes.fromhex(text)).decode()


def reference(signal: Signal, document: Any) -> Message:
    """What protobuf's reader makes of *document*."""
    message = REQUESTS[signal]()
    return json_format.ParseDict(with_ids(document, to_base64), message)


def test_decode_gives_what_protobuf_reads() -> None:
    """Every field, in every spelling, has the meaning that protobuf gives it."""
    for signal, document in chain.from_iterable(map(make_documents, SEEDS)):
        body = otlp_json.decode(signal, json.dumps(document).encode())

        expected = reference(signal, document)
        decoded = REQUESTS[signal].FromString(body)
        assert decoded.SerializeToString(deterministic=True) == expected.SerializeToString(
            deterministic=True
        )


def test_encode_gives_what_protobuf_writes() -> None:
    """With hex ids and enums as numbers."""
    for signal, document in chain.from_iterable(map(make_documents, SEEDS)):
        message = reference(signal, document)

        encoded = json.loads(otlp_json.encode(signal, message.SerializeToString()))

        expected = json_format.MessageToDict(message, use_integers_for_enums=True)
        assert encoded == with_ids(expected, lambda text: base64.b64decode(text).hex())


def test_encode_and_decode_lose_nothing() -> None:
    """Bytes to JSON and back are the same message."""
    for signal, document in chain.from_iterable(map(make_documents, SEEDS)):
        body = reference(signal, document).SerializeToString(deterministic=True)

        again = otlp_json.decode(signal, otlp_json.encode(signal, body))

        assert again == body


def test_documents_of_these_tests_hold_every_field() -> None:
    """The three tests above look at all of OTLP."""
    seen: set[tuple[str, str]] = set()

    def note(descriptor: Any, document: dict[str, Any]) -> None:
        for field in descriptor.fields:
            if field.json_name in document:
                seen.add((descriptor.full_name, field.name))
                value = document[field.json_name]
                for member in value if field.is_repeated else [value]:
                    if field.message_type is not None:
                        note(field.message_type, member)

    for signal, document in chain.from_iterable(map(make_documents, SEEDS)):
        note(REQUESTS[signal].DESCRIPTOR, document)

    known: dict[str, Any] = {}

    def gather(descriptor: Any) -> None:
        if descriptor.full_name not in known:
            known[descriptor.full_name] = descriptor
            for field in descriptor.fields:
                if field.message_type is not None:
                    gather(field.message_type)

    for request in REQUESTS.values():
        gather(request.DESCRIPTOR)
    assert seen == {(name, field.name) for name, found in known.items() for field in found.fields}


def span(**members: Any) -> bytes:
    """A request of one span."""
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [members]}]}]}).encode()


def decode_span(data: bytes) -> Any:
    """The span of a request."""
    request = ExportTraceServiceRequest.FromString(otlp_json.decode(Signal.TRACES, data))
    return request.resource_spans[0].scope_spans[0].spans[0]


def test_decode_ignores_what_it_does_not_know() -> None:
    """Unknown keys, snake_case keys and null are as if they were not there."""
    decoded = decode_span(
        span(name="a", trace_id="zz", somethingNew={"deep": [1]}, kind=None, events=None)
    )

    assert decoded.name == "a"
    assert not decoded.trace_id
    assert decoded.kind == 0


def test_decode_takes_ids_in_any_case() -> None:
    """Hex digits are what they are."""
    decoded = decode_span(
        span(traceId="5B8EFFF798038103d269b633813fc60c", spanId="eee19B7ec3c1B174")
    )

    assert decoded.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert decoded.span_id.hex() == "eee19b7ec3c1b174"


def test_decode_takes_enums_by_name_too() -> None:
    """OTLP demands numbers; senders that write names are understood, as the Collector does."""
    assert decode_span(span(kind="SPAN_KIND_CLIENT")).kind == 3


@pytest.mark.parametrize(
    "members",
    [
        {"traceId": "5b8efff798038103d269b633813fc60"},
        {"traceId": "5b8efff798038103d269b633813fc6"},
        {"traceId": "zz8efff798038103d269b633813fc60c"},
        {"traceId": "5b 8e ff f7 98 03 81 03 d2 69 b6"},
        {"traceId": 5},
        {"spanId": "5b8efff798038103d269b633813fc60c"},
        {"name": 5},
        {"name": "\ud800"},
        {"kind": 1.5},
        {"kind": "SPAN_KIND_UNHEARD_OF"},
        {"kind": True},
        {"startTimeUnixNano": -1},
        {"startTimeUnixNano": 2**64},
        {"startTimeUnixNano": "1_000"},
        {"startTimeUnixNano": " 1"},
        {"flags": 2**32},
        {"attributes": {}},
        {"attributes": [None]},
        {"attributes": [[]]},
        {"attributes": [{"value": {"boolValue": 1}}]},
        {"attributes": [{"value": {"doubleValue": "much"}}]},
        {"attributes": [{"value": {"doubleValue": 10**400}}]},
        {"attributes": [{"value": {"bytesValue": "a"}}]},
        {"attributes": [{"value": {"bytesValue": "a*=="}}]},
        {"status": []},
    ],
    ids=str,
)
def test_decode_refuses_values_that_do_not_fit(members: dict[str, Any]) -> None:
    """Each is an error of the sender, not of ours."""
    with pytest.raises(Malformed):
        otlp_json.decode(Signal.TRACES, span(**members))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe{\x00}\x00",
        b'{"resourceSpans": NaN}',
        b'{"a": ' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
        b'{"resourceSpans":' + b"[" * 100_000,
    ],
    ids=["empty", "cut", "list", "text", "utf-16", "nan", "digits", "deep", "deeper"],
)
def test_decode_refuses_what_is_no_request(data: bytes) -> None:
    """Broken or nested without end, it is malformed."""
    with pytest.raises(Malformed):
        otlp_json.decode(Signal.TRACES, data)


@pytest.mark.parametrize(("depth", "fits"), [(40, True), (60, False)])
def test_decode_nests_as_deep_as_protobuf(depth: int, fits: bool) -> None:
    """What protobuf's own parser would refuse further on is refused here."""
    value: Any = {"intValue": "1"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    data = span(attributes=[{"key": "a", "value": value}])

    if fits:
        assert decode_span(data).attributes[0].value.array_value.values
    else:
        with pytest.raises(Malformed):
            otlp_json.decode(Signal.TRACES, data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["resourceSpans", "scopeSpans", "spans", "x"]), inner)
        ),
        max_leaves=20,
    )
)
def test_decode_of_any_json_is_a_message_or_malformed(document: Any) -> None:
    """No other error comes out."""
    try:
        body = otlp_json.decode(Signal.TRACES, json.dumps(document).encode())
    except Malformed:
        return
    ExportTraceServiceRequest.FromString(body)


def test_encode_refuses_what_is_no_request() -> None:
    """Broken bytes and text that is no UTF-8."""
    with pytest.raises(Malformed):
        otlp_json.encode(Signal.TRACES, b"\xff")


def test_encode_writes_numbers_that_json_has_not_as_text() -> None:
    """NaN and the infinities survive."""
    request = ExportMetricsServiceRequest()
    points = request.resource_metrics.add().scope_metrics.add().metrics.add().gauge.data_points
    for value in (math.nan, math.inf, -math.inf, 7.0):
        points.add(as_double=value)

    encoded = json.loads(otlp_json.encode(Signal.METRICS, request.SerializeToString()))

    metric = encoded["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    assert [point["asDouble"] for point in metric["gauge"]["dataPoints"]] == [
        "NaN",
        "Infinity",
        "-Infinity",
        7.0,
    ]


def test_decode_of_too_many_values_is_too_large() -> None:
    """They are counted before any object is made; texts count too, since that is cheap."""
    text = b'{"unknown":[{},[],"a,b"]}'

    assert otlp_json.decode(Signal.TRACES, text, values_max=7) == b""
    with pytest.raises(TooLarge, match="more than 6 values"):
        otlp_json.decode(Signal.TRACES, text, values_max=6)
