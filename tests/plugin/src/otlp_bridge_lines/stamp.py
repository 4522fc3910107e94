"""The ``stamp`` processor: one resource attribute on everything that passes."""

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import (
    Batch,
    Deadline,
    ProcessorFactory,
    Receipt,
    Settings,
    Signal,
    Stage,
    State,
    Status,
)
from bridge.options import Options

_REQUESTS: dict[Signal, tuple[type[Any], str]] = {
    Signal.TRACES: (ExportTraceServiceRequest, "resource_spans"),
    Signal.METRICS: (ExportMetricsServiceRequest, "resource_metrics"),
    Signal.LOGS: (ExportLogsServiceRequest, "resource_logs"),
}


class StampOptions(Options):
    """Section ``processors.stamp``."""

    key: str = "stamped.by"
    """Name of the attribute."""

    value: str
    """What stands in it."""


class Stamp:
    """Holds nothing back: what it was given it has handed on when `deliver` returns."""

    def __init__(
        self, config: StampOptions, settings: Settings, signal: Signal, downstream: Stage
    ) -> None:
        self._config = config
        self._settings = settings
        self._downstream = downstream
        self._request, self._resources = _REQUESTS[signal]

    async def start(self) -> None:
        """Say that all is well."""
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Nothing is held back."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Hand on *batch* with the attribute."""
        request = self._request.FromString(batch.body)
        for entry in getattr(request, self._resources):
            attribute = entry.resource.attributes.add(key=self._config.key)
            attribute.value.string_value = self._config.value
        return await self._downstream.deliver(
            batch.with_body(request.SerializeToString(), batch.items)
        )


FACTORY = ProcessorFactory("stamp", config=StampOptions, create=Stamp)
