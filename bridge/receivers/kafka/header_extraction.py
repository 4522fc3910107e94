"""``header_extraction``: record headers as resource attributes."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError

from bridge.core import Malformed, Signal
from bridge.wire import Allowance


class HeaderAttributes:
    """
    Puts the first header of each listed name on every resource, as ``kafka.header.<name>``.

    Records are decoded for that: it costs as much as all the rest of reading them.
    """

    def __init__(self, signal: Signal, names: Sequence[str]) -> None:
        self._request, self._field = _request_of(signal)
        self._names = tuple(dict.fromkeys(names))

    def add(self, body: bytes, headers: Sequence[tuple[str, bytes | None]]) -> bytes:
        """
        *body* with the attributes; itself if *headers* has none of the names.

        Raises:
            Malformed: If *body* is no request of the signal.
            TooLarge: If the headers would be copied into too many resources.
        """
        found: dict[str, str] = {}
        for name, content in headers:
            if name in self._names and name not in found:
                found[name] = (content or b"").decode(errors="replace")
        if not found:
            return body
        try:
            request = self._request.FromString(body)
        except DecodeError as error:
            raise Malformed("the body is no valid OTLP request") from error
        groups = getattr(request, self._field)
        allowance = Allowance(0)
        allowance.take(len(groups) * sum(map(len, found.values())))
        for group in groups:
            for name, text in found.items():
                _put(group.resource.attributes, f"kafka.header.{name}", text)
        encoded: bytes = request.SerializeToString()
        return encoded


def _request_of(signal: Signal) -> tuple[type[Any], str]:
    """The message of *signal* and its field of groups, imported only where headers are wanted."""
    if signal is Signal.TRACES:
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

        return trace_service_pb2.ExportTraceServiceRequest, "resource_spans"
    if signal is Signal.METRICS:
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

        return metrics_service_pb2.ExportMetricsServiceRequest, "resource_metrics"
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

    return logs_service_pb2.ExportLogsServiceRequest, "resource_logs"


def _put(attributes: Any, key: str, text: str) -> None:
    for attribute in attributes:
        if attribute.key == key:
            attribute.value.Clear()
            attribute.value.string_value = text
            return
    attributes.add(key=key).value.string_value = text
