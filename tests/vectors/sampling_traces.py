"""
Random traces for samplers, full of what policies stumble over, the same ones for the same seed.

Values come from small pools around the bounds of the policies in `sampling_policies`: numbers at,
just below and above a bound, numbers that are none, texts that nearly match, times that are missing
or run backwards, several resources in a trace, spans that share an id.
"""

import random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

BASE_NS = 1_718_000_000_000_000_000
MS = 1_000_000

SERVICES = ("shop", "till", "stall", "", "shop-eu")
NAMES = ("GET /menu", "GET /health", "POST /order", "bake", "", "get /menu")
TEXTS = ("red", "Red", "blue", "bl", "", "dark red", "reddish", "r\u00f6d", "red\n")
NUMBERS = (0, 1, -1, 9, 10, 11, 50, 99, 100, 101, -10, -11, 2**53 + 1, 2**63 - 1, -(2**63))
STATES = (
    "",
    "oven=hot",
    "oven=cold,rack=2",
    "rack=1,oven=hot",
    "oven=hot,oven=cold",
    "oven = hot",
    "oven=hot=hot",
    "oven",
    "other@oven=hot",
)
FLAGS = (0, 1, 0x101, 0x100, 0x300, 3)
GAPS_MS = (0, 1, 99, 100, 101, 499, 500, 501, 1000, 5000)


def make_traces(seed: int, count: int) -> ExportTraceServiceRequest:
    """One request with *count* traces and three spans without an id, in turns or one by one."""
    dice = random.Random(seed)
    request = ExportTraceServiceRequest()
    pieces: list[tuple[bytes, int]] = []
    for _ in range(count):
        trace_id = dice.getrandbits(128).to_bytes(16, "big")
        most = dice.choice((1, 1, 2, 3, 5, 8, 12))
        pieces += [(trace_id, number) for number in range(most)]
    pieces += [(b"", number) for number in range(3)]
    if seed % 2:
        dice.shuffle(pieces)
    start = 0
    while start < len(pieces):
        group = request.resource_spans.add()
        _describe(group.resource, dice)
        # Equal ones that follow each other count as one in the size of a trace, only here.
        group.resource.attributes.add(key="instance").value.int_value = start
        for _ in range(dice.randint(1, 2)):
            scope = group.scope_spans.add()
            scope.scope.name = dice.choice(("", "orders"))
            stop = start + dice.randint(1, 4)
            for trace_id, number in pieces[start:stop]:
                _fill(scope.spans.add(trace_id=trace_id), number, dice)
            start = stop
    return request


def make_parts(seed: int, count: int) -> list[tuple[float, ExportTraceServiceRequest]]:
    """
    Traces whose spans come in three requests, with the seconds before each.

    The second comes within a `decision_wait` of 6 s, but later than 1 s after a root in the first;
    the third comes when everything was decided. The root, errors and spans are anywhere.
    """
    dice = random.Random(seed)
    requests = [ExportTraceServiceRequest() for _ in range(3)]
    spans = [one.resource_spans.add().scope_spans.add().spans for one in requests]
    for _ in range(count):
        trace_id, root = dice.randbytes(16), dice.randrange(4)
        for number in range(dice.randint(1, 8)):
            part = dice.choices((0, 1, 2), (5, 4, 2))[0]
            span = spans[part].add(trace_id=trace_id, span_id=dice.randbytes(8), name="step")
            if number or root == 0:
                span.parent_span_id = dice.randbytes(8)
            span.status.code = 2 if dice.random() < 0.15 else 0
            span.start_time_unix_nano = BASE_NS
            span.end_time_unix_nano = BASE_NS + MS
    return list(zip((0.0, 3.5, 9.0), requests, strict=True))


def trace_ids_of(request: ExportTraceServiceRequest) -> list[bytes]:
    """The distinct trace ids of *request* in the order of their first spans."""
    return list(
        dict.fromkeys(
            span.trace_id
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        )
    )


def _describe(resource: Resource, dice: random.Random) -> None:
    if dice.random() < 0.9:
        resource.attributes.add(key="service.name").value.string_value = dice.choice(SERVICES)
    if dice.random() < 0.1:
        _set(resource.attributes.add(key="n").value, dice)
    if dice.random() < 0.1:
        resource.attributes.add(key="s").value.string_value = dice.choice(TEXTS)
    if dice.random() < 0.1:
        resource.attributes.add(key="b").value.bool_value = dice.random() < 0.5


def _fill(span: Span, number: int, dice: random.Random) -> None:
    """Give a span everything that policies look at."""
    span.span_id = b"same id!" if dice.random() < 0.05 else dice.randbytes(8)
    if number and dice.random() < 0.9:
        span.parent_span_id = dice.randbytes(8)
    span.name = dice.choice(NAMES)
    span.kind = dice.randint(0, 5)
    if dice.random() < 0.95:
        span.start_time_unix_nano = BASE_NS + dice.randint(0, 3) * MS
    if dice.random() < 0.95:
        span.end_time_unix_nano = BASE_NS + dice.choice(GAPS_MS) * MS + dice.choice((0, 0, 1, -1))
    if dice.random() < 0.02:
        span.end_time_unix_nano = dice.choice((1, BASE_NS - MS, 2**64 - 1))
    span.trace_state = dice.choice(STATES)
    span.flags = dice.choice(FLAGS) if dice.random() < 0.2 else 0
    span.status.code = dice.choices((0, 1, 2, 3), (80, 10, 9, 1))[0]
    if dice.random() < 0.1:
        span.ClearField("status")
    _attribute(span, dice)
    for _ in range(dice.choice((0, 0, 0, 1, 2))):
        event = span.events.add(name=dice.choice(("spill", "exception", "")))
        if dice.random() < 0.6:
            event.attributes.add(key="litres").value.double_value = dice.choice((0.5, 2.5, 2.6))


def _attribute(span: Span, dice: random.Random) -> None:
    if dice.random() < 0.25:
        _set(span.attributes.add(key="n").value, dice)
    if dice.random() < 0.25:
        span.attributes.add(key="s").value.string_value = dice.choice(TEXTS)
    if dice.random() < 0.15:
        span.attributes.add(key="b").value.bool_value = dice.random() < 0.5
    # Keys that hold values of another type, or none, and those that merely begin like others.
    if dice.random() < 0.05:
        _set_oddly(span.attributes.add(key=dice.choice(("n", "s", "b"))).value, dice)
    if dice.random() < 0.1:
        span.attributes.add(key=dice.choice(("nn", "", "sb"))).value.int_value = 50


def _set(value: AnyValue, dice: random.Random) -> None:
    value.int_value = dice.choice(NUMBERS)


def _set_oddly(value: AnyValue, dice: random.Random) -> None:
    match dice.randrange(6):
        case 0:
            value.double_value = dice.choice((50.0, 0.0, 100.5))
        case 1:
            value.string_value = dice.choice(("50", "true", "red"))
        case 2:
            value.array_value.values.add().string_value = "red"
        case 3:
            value.bytes_value = b"red"
        case 4:
            value.kvlist_value.values.add(key="red").value.int_value = 50
        case _:
            pass  # A value of no type.
