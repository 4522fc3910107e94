"""The admin endpoint over a socket."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bridge.core import ConfigError, Deadline, State, SystemClock, View
from bridge.extensions.admin import FACTORY, Admin, AdminOptions
from bridge.extensions.admin.routes import ROUTES
from bridge.testing import FakeHost, make_settings


def _admin(host: FakeHost, **options: Any) -> Admin:
    config = AdminOptions.model_validate({"endpoint": "127.0.0.1:0", **options})
    return Admin(config, make_settings("admin", host=host))


@pytest.fixture
def host() -> FakeHost:
    """A service of one pipeline that logged one line."""
    graph = {"traces": {"receivers": ["otlp"], "processors": [], "exporters": ["nop"]}}
    return FakeHost(graph=graph, shown=[View(None, [], {}, [{"event": "hello"}])])


@pytest.fixture
async def admin(host: FakeHost) -> AsyncIterator[Admin]:
    """A started endpoint, stopped afterwards."""
    subject = _admin(host)
    await subject.start()
    yield subject
    await subject.stop(Deadline.after(1, SystemClock()))


async def _get(admin: Admin, path: str, **headers: str) -> tuple[int, str, Any]:
    url = f"http://127.0.0.1:{admin.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers


async def test_status_shows_pipelines_and_events(admin: Admin, host: FakeHost) -> None:
    """As JSON, for nobody to keep."""
    url = f"http://127.0.0.1:{admin.port}/api/status"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        told = await answer.json()

    assert answer.headers["Cache-Control"] == "no-store"
    assert told["pipelines"] == host.graph
    assert told["events"] == [{"event": "hello"}]
    assert (told["schema"], told["ready"], told["live"]) == (1, True, True)
    assert host.state is State.OK


async def test_name_of_a_stranger_is_misdirected(admin: Admin) -> None:
    """A page that points its own name at this machine learns nothing but our names."""
    status, text, _ = await _get(admin, "/api/status", Host="evil.example")

    assert (status, "allowed_hosts" in text) == (421, True)


async def test_allowed_host_is_answered(host: FakeHost) -> None:
    """A name behind which a proxy stands is listed by the operator."""
    admin = _admin(host, allowed_hosts=["bridge.example"])
    await admin.start()
    try:
        status, _, _ = await _get(admin, "/api/status", Host="bridge.example")
    finally:
        await admin.stop(Deadline.after(1, SystemClock()))

    assert status == 200


async def test_taken_port_is_a_config_error(admin: Admin, host: FakeHost) -> None:
    """It names the key to change."""
    with pytest.raises(ConfigError, match=r"extensions\.admin\.endpoint"):
        await _admin(host, endpoint=f"127.0.0.1:{admin.port}").start()


async def test_stop_before_start_and_twice_is_harmless(host: FakeHost) -> None:
    """As every component's."""
    admin = _admin(host)
    deadline = Deadline.after(1, SystemClock())
    await admin.stop(deadline)
    await admin.start()
    await admin.stop(deadline)
    await admin.stop(deadline)


async def test_all_interfaces_are_warned_of(
    host: FakeHost, capsys: pytest.CaptureFixture[str]
) -> None:
    """It runs, and says who may look now."""
    admin = _admin(host, endpoint=":0")
    await admin.start()
    try:
        status, _, _ = await _get(admin, "/api/status", Host="any.example")
    finally:
        await admin.stop(Deadline.after(1, SystemClock()))

    assert status == 200
    assert "admin_listens_everywhere" in capsys.readouterr().out


async def test_listed_names_hold_on_all_interfaces_too(host: FakeHost) -> None:
    """Whoever lists names means them, wherever it listens."""
    admin = _admin(host, endpoint=":0", allowed_hosts=["bridge.example"])
    await admin.start()
    try:
        stranger, _, _ = await _get(admin, "/api/status", Host="evil.example")
        listed, _, _ = await _get(admin, "/api/status", Host="bridge.example")
    finally:
        await admin.stop(Deadline.after(1, SystemClock()))

    assert (stranger, listed) == (421, 200)


def test_routes_are_distinct_and_the_factory_is_admin() -> None:
    """One row a path: two would shadow each other."""
    places = [(method, path) for method, path, _ in ROUTES]

    assert len(set(places)) == len(places)
    assert FACTORY.type_name == "admin"
