"""The listener of the `admin` extension and what samples the service for it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from bridge.core import ConfigError, Deadline, Settings, State, Status
from bridge.extensions.admin.guard import (
    HEADERS,
    LOCAL_NAMES,
    is_foreign_request,
    is_known_host,
    listens_everywhere,
)
from bridge.extensions.admin.history import History
from bridge.extensions.admin.options import AdminOptions
from bridge.extensions.admin.routes import ROUTES, Answer, Desk
from bridge.options import parse_endpoint

log = structlog.get_logger()

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Admin:
    """
    Serves the status page and ``/api/status``.

    `port` tells the bound port after `start`, also when the endpoint asked for port 0.
    """

    def __init__(self, config: AdminOptions, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        endpoint = parse_endpoint(config.endpoint)
        self._host = endpoint.host or "0.0.0.0"  # noqa: S104 - as the user wrote it
        self.port = endpoint.port
        self._names = {*LOCAL_NAMES, *config.allowed_hosts, self._host} - {""}
        # Whoever listens everywhere is asked for by names we cannot know, unless they were told.
        self._any_name = listens_everywhere(self._host) and not config.allowed_hosts
        self._desk = Desk(settings.host, History(settings.clock), config.previews)
        # What changes: the listener and the task that samples, while we run.
        self._runner: web.AppRunner | None = None
        self._sampling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """
        Listen.

        Raises:
            ConfigError: If the address cannot be bound.
        """
        app = web.Application(middlewares=[self._guard])
        for method, path, answer in ROUTES:
            app.router.add_route(method, path, _bound(answer, self._desk))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"extension {self._settings.id} cannot listen on {self._config.endpoint}: "
                f"{error.strerror or error}; set extensions.{self._settings.id}.endpoint to a free "
                "address"
            ) from error
        self.port = int(self._runner.addresses[0][1])
        if listens_everywhere(self._host):
            log.warning(
                "admin_listens_everywhere",
                extension=str(self._settings.id),
                port=self.port,
                hint=f"set extensions.{self._settings.id}.endpoint to localhost:{self.port}: "
                "whoever reaches the port sees names, errors and samples of data",
            )
        self._sampling = asyncio.create_task(self._sample_forever(), name="admin-sampling")
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Stop answering. The service stops extensions last, so a drain stays observable."""
        del deadline  # aiohttp bounds its own clean-up; an answer takes milliseconds.
        sampling, self._sampling = self._sampling, None
        if sampling is not None:
            sampling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sampling
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _sample_forever(self) -> None:
        while True:
            try:
                self._desk.history.add(await self._settings.host.views())
            except Exception:
                # A figure that cannot be read costs one point of a plot.
                log.exception("admin_sample_failed")
            await self._settings.clock.sleep(self._config.interval)

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not self._any_name and not is_known_host(request.host, self._names):
            names = ", ".join(sorted(self._names))
            raise web.HTTPMisdirectedRequest(
                text=f"This endpoint answers under the names {names}. Ask for one of them, or add "
                f"yours to extensions.{self._settings.id}.allowed_hosts.\n"
            )
        if request.method != "GET" and is_foreign_request(
            request.headers.get("Origin"), request.host
        ):
            raise web.HTTPForbidden(text="Requests from pages of another origin are refused.\n")
        response = await handler(request)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response


def _bound(answer: Answer, desk: Desk) -> _Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(desk, request)

    return handle
