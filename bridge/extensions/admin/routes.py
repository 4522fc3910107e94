"""
What the admin endpoint answers: one row a path.

Another answer is another row; the verbs that ask for it find it under ``/api/``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from aiohttp import web

from bridge.core import Host
from bridge.extensions.admin.history import History
from bridge.extensions.admin.status import status_of


@dataclass(frozen=True, slots=True)
class Desk:
    """What an answer is made from: the running service, and what was seen of it lately."""

    host: Host
    history: History
    previews: bool = True


Answer = Callable[[Desk, web.Request], Awaitable[web.StreamResponse]]


async def _status(desk: Desk, request: web.Request) -> web.Response:
    del request
    return web.json_response(await status_of(desk.host, desk.history, previews=desk.previews))


async def _tap(desk: Desk, request: web.Request) -> web.StreamResponse:
    # The language of conditions is loaded once somebody looks.
    from bridge.extensions.admin.tap_route import answer_tap

    return await answer_tap(desk.host, request)


async def _page(desk: Desk, request: web.Request) -> web.Response:
    del desk, request
    return web.Response(text=_page_text(), content_type="text/html")


@cache
def _page_text() -> str:
    return (files("bridge.extensions.admin") / "page.html").read_text(encoding="utf-8")


ROUTES: list[tuple[str, str, Answer]] = [
    ("GET", "/", _page),
    ("GET", "/api/status", _status),
    ("POST", "/api/tap", _tap),
]
"""Method, path and who answers."""
