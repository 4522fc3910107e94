"""An OTLP exporter that stands in no pipeline: for what the bridge itself has to send."""

from typing import Any

from pydantic import ValidationError

from bridge.core import Clock, ComponentId, ConfigError, Exporter, Settings, Signal
from bridge.exporters.otlp import OtlpExporter, OtlpOptions
from bridge.exporters.otlp_http import OtlpHttpExporter, OtlpHttpOptions
from bridge.service.host import ServiceHost
from bridge.service.status_book import StatusBook
from bridge.telemetry import MetricRegistry


def lone_exporter(
    name: str, clock: Clock, protocol: str, target: str, problem: str, **options: Any
) -> Exporter:
    """
    An exporter of traces whose figures and status nobody sees, so that the ledger balances.

    Args:
        protocol: ``grpc``; anything else is HTTP.
        target: Its endpoint, with ``/v1/traces`` for HTTP.
        problem: What its errors begin with.
        options: Options that both exporters have.

    Raises:
        ConfigError: If the exporter refuses *target* or *options*.
    """
    settings = Settings(
        ComponentId.parse(name),
        clock,
        MetricRegistry(),
        lambda status: None,
        ServiceHost(StatusBook()),
    )
    signals = frozenset({Signal.TRACES})
    try:
        if protocol == "grpc":
            grpc = OtlpOptions(endpoint=target, **options)
            return OtlpExporter(grpc, settings, signals)
        http = OtlpHttpOptions(traces_endpoint=target, **options)
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ConfigError(f"{problem}: {reason}") from error
    return OtlpHttpExporter(http, settings, signals)
