"""The ``debug`` exporter: shows what passes, for people."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import structlog
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import Field

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    ExporterFactory,
    Malformed,
    Receipt,
    Settings,
    Signal,
    Stability,
    State,
    Status,
)
from bridge.options import Duration, Options, SendingQueue

log = structlog.get_logger()

_REQUESTS: dict[Signal, type[Message]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
_LINES_MAX = 10_000


class DebugOptions(Options):
    """Section ``exporters.debug``."""

    verbosity: Literal["basic", "normal", "detailed"] = "basic"
    """basic: one line a batch with counts; normal: one line an item; detailed: every field."""

    sampling_initial: int = Field(default=2, ge=0)
    """Batches that are shown in each second before sampling begins."""

    sampling_thereafter: int = Field(default=1, ge=0)
    """After those, each so manieth batch of the second is shown: 1 shows all, 0 none."""

    use_internal_logger: bool = True
    """Show by the service's own log; otherwise on standard output."""

    output_paths: tuple[Literal["stdout", "stderr"], ...] = ("stdout",)
    """Where to without the internal logger."""

    sending_queue: SendingQueue = SendingQueue()
    """Accepted without effect: nothing waits here."""

    flush_interval: Duration = 0.0
    """Accepted without effect: everything is shown at once."""


class DebugExporter:
    """
    Writes batches in a readable form and takes them.

    Showing costs a full decode and runs on the event loop: it is for looking, not for production.
    """

    def __init__(
        self, options: DebugOptions, settings: Settings, signals: frozenset[Signal]
    ) -> None:
        self._options = options
        self._settings = settings
        self._sent = {
            signal: settings.metrics.counter(
                f"otelcol_exporter_sent_{signal.items}", {"exporter": str(settings.id)}
            )
            for signal in Signal
        }
        # The second that is sampled and the batches seen in it.
        self._second = 0
        self._seen = 0

    async def start(self) -> None:
        """Nothing to open."""
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Nothing to finish."""

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Show *batch* unless sampling leaves it out.

        Raises:
            Malformed: If it has to be decoded and cannot be.
        """
        if self._is_shown():
            self._show(batch)
        self._sent[batch.signal].add(batch.items)
        return ACCEPTED

    def _is_shown(self) -> bool:
        second = int(self._settings.clock.monotonic())
        if second != self._second:
            self._second, self._seen = second, 0
        self._seen += 1
        beyond = self._seen - self._options.sampling_initial
        if beyond <= 0:
            return True
        thereafter = self._options.sampling_thereafter
        return bool(thereafter) and beyond % thereafter == 0

    def _show(self, batch: Batch) -> None:
        facts = {
            "exporter": str(self._settings.id),
            "signal": batch.signal.value,
            batch.signal.items: batch.items,
            "body_bytes": len(batch.body),
        }
        lines = list(render(batch, self._options.verbosity, _LINES_MAX))
        if self._options.use_internal_logger:
            log.info("debug_batch", **facts, **({"data": "\n".join(lines)} if lines else {}))
            return
        head = " ".join(f"{key}={value}" for key, value in facts.items())
        for path in self._options.output_paths:
            print(head, *lines, sep="\n", file=sys.stdout if path == "stdout" else sys.stderr)


def render(batch: Batch, verbosity: str, lines_max: int) -> Iterator[str]:
    """
    The lines that show *batch*: none for basic, one an item for normal, every field for detailed.

    Raises:
        Malformed: If the body is no OTLP request.
    """
    if verbosity == "basic":
        return
    request: Any = _REQUESTS[batch.signal]()
    try:
        request.ParseFromString(batch.body)
    except DecodeError as error:
        raise Malformed(f"the batch is no OTLP request: {error}") from error
    lines = _detailed(request) if verbosity == "detailed" else _normal(request, batch.signal)
    for number, line in enumerate(lines):
        if number >= lines_max:
            yield f"... cut after {lines_max} lines"
            return
        yield line


def _normal(request: Any, signal: Signal) -> Iterator[str]:
    if signal is Signal.TRACES:
        for group in request.resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    yield f"{span.name} {span.trace_id.hex()} {span.span_id.hex()} " + _pairs(
                        span.attributes
                    )
    elif signal is Signal.LOGS:
        for group in request.resource_logs:
            for scope in group.scope_logs:
                for record in scope.log_records:
                    yield f"{_value(record.body)} {_pairs(record.attributes)}"
    else:
        for group in request.resource_metrics:
            for scope in group.scope_metrics:
                for metric in scope.metrics:
                    yield from _points(metric)


def _points(metric: Any) -> Iterator[str]:
    kind = metric.WhichOneof("data")
    for point in getattr(metric, kind).data_points if kind else ():
        names = {field.name for field, _ in point.ListFields()}
        if "as_double" in names or "as_int" in names:
            value = str(point.as_double if "as_double" in names else point.as_int)
        else:
            value = f"count={getattr(point, 'count', 0)} sum={getattr(point, 'sum', 0)}"
        yield f"{metric.name}{{{_pairs(point.attributes)}}} {value}"


def _pairs(attributes: Iterable[Any]) -> str:
    return " ".join(f"{pair.key}={_value(pair.value)}" for pair in attributes)


def _value(value: Any) -> str:
    kind = value.WhichOneof("value")
    if kind is None:
        return ""
    content = getattr(value, kind)
    if kind == "array_value":
        return "[" + ", ".join(_value(item) for item in content.values) + "]"
    if kind == "kvlist_value":
        return "{" + _pairs(content.values) + "}"
    return content.hex() if isinstance(content, bytes) else str(content)


def _detailed(message: Any, depth: int = 0) -> Iterator[str]:
    """Every field that is set, one a line; ids as hex, attributes as name and value."""
    indent = "  " * depth
    for field, content in message.ListFields():
        repeated = isinstance(content, Iterable) and not isinstance(content, str | bytes)
        for item in content if repeated else (content,):
            if not isinstance(item, Message):
                shown = item.hex() if isinstance(item, bytes) else item
                yield f"{indent}{field.name}: {shown}"
            elif item.DESCRIPTOR.name == "KeyValue":
                yield f"{indent}{field.name}: {_pairs([item])}"
            elif item.DESCRIPTOR.name == "AnyValue":
                yield f"{indent}{field.name}: {_value(item)}"
            else:
                yield f"{indent}{field.name}:"
                yield from _detailed(item, depth + 1)


FACTORY = ExporterFactory(
    "debug", config=DebugOptions, create=DebugExporter, stability=Stability.BETA
)
