"""
The `health_check` extension: is the process alive, and does it do its work?

``/livez`` never depends on Kafka or a backend, or an outage there would restart a whole fleet;
``/readyz`` is about doing the work now; the Collector's own ``path`` answers like ``/readyz``.
"""

from datetime import UTC, datetime

from pydantic import Field, field_validator

from bridge.core import ConfigError, Deadline, ExtensionFactory, Settings, Stability, State, Status
from bridge.http1 import PageServer, Response, json_response, text_response
from bridge.options import Options, parse_endpoint


class ResponseBody(Options):
    """Texts to answer with instead of the JSON."""

    healthy: str = ""
    """Body of a 200 on `path`; empty gives the JSON."""
    unhealthy: str = ""
    """Body of a 503 on `path`; empty gives the JSON."""


class HealthCheckConfig(Options):
    """The Collector's ``health_check`` section."""

    endpoint: str = "localhost:13133"
    """Where to listen, as host:port."""
    path: str = Field(default="/", pattern="^/")
    """The path that load balancers ask, besides ``/livez`` and ``/readyz``."""
    response_body: ResponseBody = ResponseBody()
    """Texts to answer with on `path`."""

    @field_validator("endpoint")
    @classmethod
    def _is_endpoint(cls, endpoint: str) -> str:
        parse_endpoint(endpoint)
        return endpoint


class HealthCheck:
    """
    Serves ``/livez``, ``/readyz``, ``/healthz`` and the configured path.

    `port` tells the bound port after `start`, also when the endpoint asked for port 0.
    """

    def __init__(self, config: HealthCheckConfig, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        pages = {"/livez": self._livez, "/readyz": self._readyz, "/healthz": self._healthz}
        pages.setdefault(config.path, self._path)
        self._server = PageServer(pages, settings.clock, str(settings.id))
        self._started_s = settings.clock.wall()
        endpoint = parse_endpoint(config.endpoint)
        self._host = endpoint.host or "0.0.0.0"  # noqa: S104 - as the user wrote it
        self.port = endpoint.port

    async def start(self) -> None:
        """
        Listen.

        Raises:
            ConfigError: If the address cannot be bound.
        """
        try:
            self.port = await self._server.start(self._host, self.port)
        except OSError as error:
            raise ConfigError(
                f"extension {self._settings.id} cannot listen on {self._config.endpoint}: "
                f"{error.strerror or error}; set extensions.{self._settings.id}.endpoint to a free "
                "address"
            ) from error
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Stop answering. The service stops extensions last, so a drain stays observable."""
        await self._server.stop(deadline)

    async def _livez(self) -> Response:
        live = self._settings.host.live()
        return json_response(200 if live else 503, {"status": "ok" if live else "dead"})

    async def _readyz(self) -> Response:
        return json_response(self._status(), self._readiness())

    async def _path(self) -> Response:
        status = self._status()
        texts = self._config.response_body
        text = texts.healthy if status == 200 else texts.unhealthy
        if text:
            return text_response(status, text)
        up_since = datetime.fromtimestamp(self._started_s, UTC).isoformat()
        word = "Server available" if status == 200 else "Server not available"
        uptime_s = self._settings.clock.wall() - self._started_s
        return json_response(
            status, {"status": word, "upSince": up_since, "uptime": f"{uptime_s:.0f}s"}
        )

    async def _healthz(self) -> Response:
        components = {
            name: {"status": status.state.value, "reason": status.reason, "hint": status.hint}
            for name, status in self._settings.host.statuses().items()
        }
        return json_response(self._status(), {**self._readiness(), "components": components})

    def _status(self) -> int:
        return 200 if self._settings.host.ready() else 503

    def _readiness(self) -> dict[str, object]:
        host = self._settings.host
        waiting = [
            {"component": name, "reason": status.reason, "hint": status.hint}
            for name, status in host.statuses().items()
            if not status.state.ready
        ]
        return {"ready": host.ready(), "not_ready": waiting}


FACTORY = ExtensionFactory(
    type_name="health_check",
    config=HealthCheckConfig,
    create=HealthCheck,
    stability=Stability.BETA,
)
