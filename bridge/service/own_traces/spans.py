"""One piece of the bridge's own work, and many of them as an OTLP request."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from bridge.core import Batch, Receipt
from bridge.service.places import Place

_MESSAGE_CHARS_MAX = 256

_KINDS = {
    "receive": trace_pb2.Span.SPAN_KIND_SERVER,
    "consume": trace_pb2.Span.SPAN_KIND_CONSUMER,
    "process": trace_pb2.Span.SPAN_KIND_INTERNAL,
    "produce": trace_pb2.Span.SPAN_KIND_PRODUCER,
    "deliver": trace_pb2.Span.SPAN_KIND_CLIENT,
}

Value = str | int


def verb_of(place: Place) -> str:
    """What a stage does: ``receive``, ``consume``, ``process``, ``produce`` or ``deliver``."""
    if place.kind == "processors":
        return "process"
    verbs = {"receivers": ("receive", "consume"), "exporters": ("deliver", "produce")}
    return verbs[place.kind][place.type_name == "kafka"]


@dataclass(slots=True)
class Span:
    """
    One delivery to one stage.

    `ended` tells the tasks that it has left behind that they work for others now: what they
    deliver is no child of it any more.
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    verb: str
    name: str
    start_ns: int
    attributes: dict[str, Value]
    end_ns: int = 0
    error: str = ""
    message: str = ""
    ended: bool = field(default=False)

    def end(self, now_ns: int, outcome: Receipt | BaseException | None) -> None:
        """Note how it ended; `None` stands for a cancellation."""
        self.ended = True
        self.end_ns = max(now_ns, self.start_ns)
        if isinstance(outcome, Receipt):
            if outcome.rejected_items:
                self.attributes["bridge.items.rejected"] = outcome.rejected_items
        elif outcome is None:
            self.error = "CancelledError"
        else:
            self.error = type(outcome).__name__
            self.message = str(outcome)[:_MESSAGE_CHARS_MAX]


def attributes_of(place: Place, batch: Batch) -> dict[str, Value]:
    """What is told of *batch* at *place*: names and numbers, nothing that it contains."""
    found: dict[str, Value] = {
        "bridge.component": place.name,
        "bridge.signal": batch.signal.value,
        "bridge.items": batch.items,
        "bridge.body_bytes": len(batch.body),
    }
    if place.pipeline:
        found["bridge.pipeline"] = place.pipeline
    if place.type_name == "kafka":
        found["messaging.system"] = "kafka"
    origin = batch.origin
    if origin.custody is not None:
        found["messaging.destination.name"] = origin.custody.topic
        found["messaging.destination.partition.id"] = str(origin.custody.partition)
        if origin.records:
            found["messaging.kafka.offset"] = origin.records[0].offset
            found["messaging.batch.message_count"] = len(origin.records)
    return found


def encode(spans: Iterable[Span], resource: Mapping[str, Value]) -> bytes:
    """*spans* as one ``ExportTraceServiceRequest``."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.extend(_key_values(resource))
    scope = of_resource.scope_spans.add()
    scope.scope.name = "otlp-bridge"
    for span in spans:
        made = scope.spans.add(
            trace_id=span.trace_id,
            span_id=span.span_id,
            parent_span_id=span.parent_id,
            name=span.name,
            kind=_KINDS[span.verb],
            start_time_unix_nano=span.start_ns,
            end_time_unix_nano=span.end_ns,
            attributes=_key_values(span.attributes),
        )
        if span.error:
            made.status.code = trace_pb2.Status.STATUS_CODE_ERROR
            made.status.message = span.message
            made.attributes.extend(_key_values({"error.type": span.error}))
    return request.SerializeToString()


def _key_values(attributes: Mapping[str, Value]) -> list[KeyValue]:
    make: Callable[[Value], AnyValue] = _any_value
    return [KeyValue(key=key, value=make(value)) for key, value in attributes.items()]


def _any_value(value: Value) -> AnyValue:
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
