"""The bridge's own traces as a whole: built from the config, started and stopped by the service."""

import os
import secrets
import socket

import structlog

from bridge import __version__
from bridge.config import OtlpSection, Telemetry
from bridge.core import (
    Clock,
    Deadline,
    Exporter,
    Metrics,
)
from bridge.service.lone_exporter import lone_exporter
from bridge.service.own_traces.shipping import Shipping
from bridge.service.own_traces.spans import Value
from bridge.service.own_traces.traced_stage import Tracer
from bridge.service.places import Observe

log = structlog.get_logger()

RUN_ATTRIBUTE = "bridge.run"
"""Resource attribute with the id of the running service, the same for all of its workers."""


class OwnTraces:
    """
    Spans of this process's own work, on their way to a backend.

    They are sent by an exporter that stands in no pipeline, so sending makes no spans; data that
    carries them, and comes back by whatever way, is delivered like any other and never followed.

    Args:
        telemetry: With `traces` set.
        metrics: Where it is counted what was sent and what was dropped.

    Raises:
        ConfigError: If the backend cannot be used as configured.
    """

    def __init__(self, telemetry: Telemetry, metrics: Metrics, clock: Clock) -> None:
        traces = telemetry.traces
        if traces is None or traces.batch is None or traces.otlp is None:
            raise ValueError("no own traces are configured")
        self._target = traces.otlp.target
        self._ratio = traces.sampler.ratio()
        resource: dict[str, Value] = {
            "service.name": "otlp-bridge",
            "service.version": __version__,
            "service.instance.id": secrets.token_hex(16),
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
            RUN_ATTRIBUTE: telemetry.run,
        }
        exporter = _exporter(traces.otlp, clock)
        self._shipping = Shipping(exporter, traces.batch, resource, metrics, clock)
        self._tracer = Tracer(self._ratio, telemetry.run.encode(), self._shipping.put, clock)

    @property
    def observe(self) -> Observe:
        """Puts a stage that is followed in the place of another one."""
        return self._tracer.observe

    async def start(self) -> None:
        """
        Begin to send; whether the backend answers is found out later.

        Raises:
            ConfigError: If a certificate cannot be used.
        """
        await self._shipping.start()
        log.info("own_traces_started", endpoint=self._target, ratio=self._ratio)

    async def stop(self, deadline: Deadline) -> None:
        """Send what is left, for two seconds at most."""
        await self._shipping.stop(deadline)


def _exporter(section: OtlpSection, clock: Clock) -> Exporter:
    return lone_exporter(
        "otlp/own_traces",
        clock,
        section.protocol,
        section.target,
        "service.telemetry.traces",
        tls=section.tls,
        headers=section.headers,
        compression=section.compression,
        timeout=f"{section.timeout}ms",
    )
