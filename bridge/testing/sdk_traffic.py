"""
Traffic of a small web shop, made and sent with the OpenTelemetry SDK as applications do.

Three services share every trace, and each sends by its own exporter, some over gRPC and some over
HTTP: the spans of one trace arrive in different requests and on different ports.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

try:
    from opentelemetry import trace
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
    from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
    from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
    from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
    from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
except ImportError as error:
    raise RuntimeError(
        "the OpenTelemetry SDK is not installed: pip install 'otlp-kafka-bridge[demo]'"
    ) from error

SERVICES = {"frontend": "grpc", "checkout": "http", "payment": "grpc"}
"""The services of the shop and the transport that each sends by."""

SPANS_PER_TRACE = 5
_SIGNALS = ("traces", "metrics", "logs")
EXPORT_TIMEOUT_S = 10
FLUSH_TIMEOUT_MS = 20_000
_METRIC_INTERVAL_MS = 3_600_000
"""Longer than any run: metrics are sent by the flush at the end."""


@dataclass(slots=True)
class Account:
    """What was handed to the SDK's exporters, and what they say was accepted."""

    sent_spans: set[bytes] = field(default_factory=set)
    accepted_spans: set[bytes] = field(default_factory=set)
    items: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SIGNALS, 0))
    accepted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SIGNALS, 0))
    requests: dict[str, int] = field(default_factory=lambda: {"grpc": 0, "http": 0})

    @property
    def complete(self) -> bool:
        """Whether everything that was sent was accepted."""
        return self.items == self.accepted and self.sent_spans == self.accepted_spans


def send_shop_traffic(endpoints: Mapping[str, str], traces: int) -> Account:
    """
    Send *traces* traces of five spans, a log record for each, and metrics; return when answered.

    Args:
        endpoints:
            ``grpc`` and ``http`` to ``host:port``.

    Blocks: run it in a thread.
    """
    account = Account()
    lock = threading.Lock()
    with ExitStack() as stack:
        shop = {
            name: stack.enter_context(_Service(name, transport, endpoints, account, lock))
            for name, transport in SERVICES.items()
        }
        for index in range(traces):
            _buy(shop, index)
    return account


def _buy(shop: "Mapping[str, _Service]", index: int) -> None:
    """One purchase: five spans in three services."""
    failed = index % 20 == 19
    with shop["frontend"].tracer.start_as_current_span(
        "POST /orders", kind=trace.SpanKind.SERVER, attributes={"url.path": "/orders"}
    ):
        with shop["checkout"].tracer.start_as_current_span("place order") as order:
            order.set_attribute("order.id", index)
            with shop["checkout"].tracer.start_as_current_span(
                "INSERT orders", kind=trace.SpanKind.CLIENT, attributes={"db.system": "postgresql"}
            ):
                pass
            with shop["payment"].tracer.start_as_current_span("charge card") as charge:
                if failed:
                    charge.set_status(trace.StatusCode.ERROR, "card declined")
            shop["checkout"].note("order placed" if not failed else "order failed", index)
        with shop["frontend"].tracer.start_as_current_span("render page"):
            pass
    shop["checkout"].orders.add(1, {"failed": failed})


class _Service:
    """The SDK of one service, flushed and shut down when left."""

    def __init__(
        self,
        name: str,
        transport: str,
        endpoints: Mapping[str, str],
        account: Account,
        lock: threading.Lock,
    ) -> None:
        def counted(signal: str, exporter: Any) -> Any:
            return _Counted(exporter, signal, transport, account, lock)

        resource = Resource.create({"service.name": name})
        traces, metrics, logs = _exporters(transport, endpoints[transport])
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracers.add_span_processor(
            # A queue that is never full: the SDK drops what does not fit.
            BatchSpanProcessor(counted("traces", traces), max_queue_size=1 << 20)
        )
        reader = PeriodicExportingMetricReader(
            counted("metrics", metrics), export_interval_millis=_METRIC_INTERVAL_MS
        )
        self._meters = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._loggers = LoggerProvider(resource, shutdown_on_exit=False)
        self._loggers.add_log_record_processor(
            BatchLogRecordProcessor(counted("logs", logs), max_queue_size=1 << 20)
        )
        self.tracer = self._tracers.get_tracer("shop")
        self.orders = self._meters.get_meter("shop").create_counter("orders")
        self._logger = self._loggers.get_logger("shop")

    def note(self, text: str, order: int) -> None:
        """Log one line in the current span."""
        self._logger.emit(
            LogRecord(
                body=text,
                severity_number=SeverityNumber.INFO,
                attributes={"order.id": order},
                context=trace.set_span_in_context(trace.get_current_span()),
            )
        )

    def __enter__(self) -> "_Service":
        return self

    def __exit__(self, *_: object) -> None:
        for provider in (self._tracers, self._loggers, self._meters):
            provider.force_flush(FLUSH_TIMEOUT_MS)
            provider.shutdown()


class _Counted:
    """
    An exporter that keeps account of what passes and of the answers.

    It stands for its exporter in everything else, so that the SDK finds its preferences.
    """

    def __init__(
        self, inner: Any, signal: str, transport: str, account: Account, lock: threading.Lock
    ) -> None:
        self._inner = inner
        self._signal = signal
        self._transport = transport
        self._account = account
        self._lock = lock

    def export(self, batch: Any, *args: Any, **kwargs: Any) -> Any:
        """Send *batch* and enter it into the account."""
        ids = _span_ids(batch) if self._signal == "traces" else set()
        count = _COUNTS[self._signal](batch)
        with self._lock:
            self._account.sent_spans |= ids
            self._account.items[self._signal] += count
            self._account.requests[self._transport] += 1
        result = self._inner.export(batch, *args, **kwargs)
        # The three signals have an enumeration each, all with the same names.
        if result.name == SpanExportResult.SUCCESS.name:
            with self._lock:
                self._account.accepted_spans |= ids
                self._account.accepted[self._signal] += count
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _exporters(transport: str, endpoint: str) -> tuple[Any, Any, Any]:
    if transport == "grpc":
        options: dict[str, Any] = {
            "endpoint": endpoint,
            "insecure": True,
            "timeout": EXPORT_TIMEOUT_S,
        }
        return (
            grpc_traces.OTLPSpanExporter(**options),
            grpc_metrics.OTLPMetricExporter(**options),
            grpc_logs.OTLPLogExporter(**options),
        )
    url = f"http://{endpoint}/v1"
    return (
        http_traces.OTLPSpanExporter(f"{url}/traces", timeout=EXPORT_TIMEOUT_S),
        http_metrics.OTLPMetricExporter(f"{url}/metrics", timeout=EXPORT_TIMEOUT_S),
        http_logs.OTLPLogExporter(f"{url}/logs", timeout=EXPORT_TIMEOUT_S),
    )


def _span_ids(spans: Sequence[Any]) -> set[bytes]:
    return {
        span.context.trace_id.to_bytes(16, "big") + span.context.span_id.to_bytes(8, "big")
        for span in spans
    }


def _points(metrics: Any) -> Iterator[Any]:
    for resource in metrics.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield from metric.data.data_points


_COUNTS: Mapping[str, Callable[[Any], int]] = {
    "traces": len,
    "logs": len,
    "metrics": lambda metrics: sum(1 for _ in _points(metrics)),
}
