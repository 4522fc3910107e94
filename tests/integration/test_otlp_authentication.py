"""Who may send, over real transports: grpc's C core, and curl."""

import asyncio
import base64
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bcrypt
import grpc
import pytest

from bridge.core import Deadline, Extension
from bridge.extensions import basicauth
from bridge.extensions.basicauth import BasicAuth, BasicAuthConfig
from bridge.extensions.bearertokenauth import BearerTokenAuth, BearerTokenAuthConfig
from bridge.testing import make_settings, settle, trace_request
from tests.unit.receivers.otlp.clients import Answer, Running, call, details_of, post, running

BODY = trace_request().body
HASHED = bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)).decode()


def basic(user: str, password: str) -> str:
    """The header that shows a user and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@asynccontextmanager
async def guarded(extension: Any) -> AsyncIterator[Running]:
    """A receiver whose transports ask *extension*."""
    await extension.start()
    found: dict[str, Extension] = {"guard": extension}
    auth = {"auth": {"authenticator": "guard"}}
    try:
        async with running(grpc_options=auth, http_options=auth, extensions=found) as run:
            yield run
    finally:
        await extension.stop(Deadline.after(1, make_settings("x").clock))


def basicauth_of(**fields: Any) -> BasicAuth:
    """The extension for users."""
    config = BasicAuthConfig.model_validate(fields)
    return BasicAuth(config, make_settings("basicauth"))


def bearer_of(**fields: Any) -> BearerTokenAuth:
    """The extension for tokens."""
    config = BearerTokenAuthConfig.model_validate(fields)
    return BearerTokenAuth(config, make_settings("bearertokenauth"))


async def by_grpc(run: Running, shown: str | None) -> grpc.StatusCode:
    """The status of one call."""
    metadata = () if shown is None else (("authorization", shown),)
    try:
        await call(run.grpc, BODY, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def by_http(run: Running, shown: str | None) -> Answer:
    """The answer to one request."""
    headers = {} if shown is None else {"Authorization": shown}
    return await post(run.http, BODY, **headers)


async def by_curl(run: Running, *options: str) -> str:
    """The status that curl sees."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    host, port = run.http
    process = await asyncio.create_subprocess_exec(
        curl,
        "--silent",
        "--output",
        os.devnull,
        "--write-out",
        "%{http_code}",
        "--header",
        "Content-Type: application/x-protobuf",
        "--data-binary",
        "@-",
        *options,
        f"http://{host}:{port}/v1/traces",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(BODY)
    return out.decode()


CASES: list[Any] = [
    pytest.param(lambda: bearer_of(token="t0ken"), "Bearer t0ken", "Bearer t1ken", id="token"),
    pytest.param(
        lambda: basicauth_of(htpasswd={"inline": f"anna:{HASHED}"}),
        basic("anna", "geheim"),
        basic("anna", "Geheim"),
        id="password",
    ),
]


@pytest.mark.parametrize(("make", "right", "wrong"), CASES)
async def test_right_wrong_and_missing_credentials(
    make: Callable[[], Any], right: str, wrong: str
) -> None:
    """Each by each transport, first and again; what was refused is not delivered."""
    async with guarded(make()) as run:
        for _ in range(2):
            assert await by_grpc(run, right) is grpc.StatusCode.OK
            assert (await by_http(run, right)).status == 200
            for shown in (wrong, None, "Basic !", "nonsense"):
                assert await by_grpc(run, shown) is grpc.StatusCode.UNAUTHENTICATED
                assert (await by_http(run, shown)).status == 401

        assert len(run.stage.taken) == 4
        labels = {"receiver": "otlp", "outcome": "unauthenticated"}
        for transport in ("grpc", "http"):
            assert run.value("bridge_receiver_requests", transport=transport, **labels) == 8


async def test_challenge_names_what_is_wanted() -> None:
    """Clients that ask their user for a password need to be told its kind."""
    async with guarded(basicauth_of(htpasswd={"inline": f"anna:{HASHED}"})) as run:
        answer = await by_http(run, None)
        assert answer.headers["www-authenticate"].startswith("basic realm=")
        assert await by_curl(run, "--user", "anna:geheim") == "200"
        # curl sends the password only when it is asked for it in this way.
        assert await by_curl(run, "--anyauth", "--user", "anna:geheim") == "200"
        assert await by_curl(run, "--user", "anna:falsch") == "401"
    async with guarded(bearer_of(token="t0ken")) as run:
        assert (await by_http(run, None)).headers["www-authenticate"] == "bearer"
        assert await by_curl(run, "--oauth2-bearer", "t0ken") == "200"


async def test_changed_files_count_for_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was taken out is out on open connections too, although it was remembered."""
    monkeypatch.setattr("bridge.extensions._credentials_file.LOOK_EVERY_S", 0.0)
    path = tmp_path / "users"
    path.write_text(f"anna:{HASHED}\n")
    async with guarded(basicauth_of(htpasswd={"file": str(path)})) as run:
        assert (await by_http(run, basic("anna", "geheim"))).status == 200
        path.write_text(f"someone-else:{HASHED}\n")
        assert (await by_http(run, basic("anna", "geheim"))).status == 401
        assert await by_grpc(run, basic("anna", "geheim")) is grpc.StatusCode.UNAUTHENTICATED
        assert await by_grpc(run, basic("someone-else", "geheim")) is grpc.StatusCode.OK
    path.write_text("one\n")
    async with guarded(bearer_of(filename=str(path))) as run:
        assert (await by_http(run, "Bearer one")).status == 200
        path.write_text("two and more\n")
        assert (await by_http(run, "Bearer one")).status == 401
        assert await by_grpc(run, "Bearer two and more") is grpc.StatusCode.OK


@dataclass
class Gate:
    """Compares the password ``slow`` only when it is opened."""

    open: threading.Event = field(default_factory=threading.Event)

    def fits(self, password: str, hashed: str) -> bool:
        """Any password but ``wrong`` fits."""
        if password == "slow":
            self.open.wait(30)
        return password != "wrong"


async def test_slow_comparison_holds_up_only_who_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Known senders go on; nothing large is buffered for who is not known yet."""
    gate = Gate()
    monkeypatch.setattr(basicauth, "fits", gate.fits)
    users = "\n".join(f"{name}:{HASHED}" for name in ("anna", "otto"))
    large = BODY + b"\x0a\x00" * 600_000
    async with guarded(basicauth_of(htpasswd={"inline": users})) as run:
        assert await by_grpc(run, basic("otto", "fast")) is grpc.StatusCode.OK
        slow = basic("anna", "slow")
        waiting = [
            asyncio.create_task(by_grpc(run, slow)),
            asyncio.create_task(by_http(run, slow)),
        ]
        await settle()
        assert await by_grpc(run, basic("otto", "fast")) is grpc.StatusCode.OK
        assert (await by_http(run, basic("otto", "fast"))).status == 200
        assert (await post(run.http, large, Authorization=slow)).status == 503
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await call(run.grpc, large, metadata=(("authorization", slow),))
        assert told.value.code() is grpc.StatusCode.UNAVAILABLE
        assert b"RetryInfo" in details_of(told.value)
        assert not any(task.done() for task in waiting)
        gate.open.set()
        code, answer = await asyncio.gather(*waiting)

        assert code is grpc.StatusCode.OK
        assert answer.status == 200
        assert len(run.stage.taken) == 5


async def test_sender_that_leaves_during_the_comparison_takes_nobody_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests with the same credentials wait for one comparison, each by itself."""
    gate = Gate()
    monkeypatch.setattr(basicauth, "fits", gate.fits)
    async with guarded(basicauth_of(htpasswd={"inline": f"anna:{HASHED}"})) as run:
        slow = basic("anna", "slow")
        leaving = asyncio.create_task(by_grpc(run, slow))
        staying = asyncio.create_task(by_http(run, slow))
        await settle()
        leaving.cancel()
        await asyncio.wait({leaving})
        gate.open.set()

        assert (await staying).status == 200
        assert run.value("bridge_receiver_in_flight_bytes", receiver="otlp") == 0
