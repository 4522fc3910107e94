"""A few pages for machines, over real sockets."""

import asyncio
import errno
import json
from collections.abc import AsyncIterator

import pytest

from bridge.core import Deadline, SystemClock
from bridge.http1 import PageServer, Response, json_response, text_response

CLOCK = SystemClock()


async def hello() -> Response:
    """A page."""
    return text_response(200, "hello\n")


async def figures() -> Response:
    """Another one."""
    return json_response(503, {"ready": False})


async def broken() -> Response:
    """One that stumbles."""
    raise RuntimeError("surprise")


@pytest.fixture
async def server() -> AsyncIterator[PageServer]:
    """Not started; stopped afterwards."""
    made = PageServer({"/": hello, "/f": figures, "/broken": broken}, CLOCK, "test")
    yield made
    await made.stop(Deadline.after(1, CLOCK))


async def ask(port: int, *requests: bytes, host: str = "127.0.0.1") -> list[tuple[str, bytes]]:
    """The status line and the body of the answers to *requests*, over one connection."""
    reader, writer = await asyncio.open_connection(host, port)
    found = []
    for request in requests:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        line, *fields = head.split("\r\n")
        length = next(f.partition(":")[2] for f in fields if f.startswith("content-length"))
        size = 0 if request.startswith(b"HEAD") else int(length)
        found.append((line.removeprefix("http/1.1 "), await reader.readexactly(size)))
    writer.close()
    return found


def get(path: str, method: str = "GET", more: str = "") -> bytes:
    """A request."""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


async def test_pages_are_served_over_one_connection(server: PageServer) -> None:
    """By their path, whatever is asked behind it; HEAD gets the head alone."""
    port = await server.start("127.0.0.1", 0)
    found = await ask(port, get("/"), get("/?x=1"), get("/", "HEAD"), get("/f"))

    assert found[:3] == [("200 ok", b"hello\n"), ("200 ok", b"hello\n"), ("200 ok", b"")]
    assert found[3][0] == "503 service unavailable"
    assert json.loads(found[3][1]) == {"ready": False}


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/nothing"), "404"),
        (get("/", "POST"), "405"),
        (get("/", more="Content-Length: 5\r\n") + b"12345", "413"),
        (get("/", more="Transfer-Encoding: chunked\r\n") + b"1\r\nx\r\n0\r\n\r\n", "413"),
        (b"nonsense\r\n\r\n", "400"),
        (get("/broken"), "500"),
    ],
)
async def test_everything_else_is_refused(
    server: PageServer, request_bytes: bytes, status: str
) -> None:
    """With an answer, and without ending the server."""
    port = await server.start("127.0.0.1", 0)
    ((line, _),) = await ask(port, request_bytes)

    assert line.startswith(status)
    assert await ask(port, get("/")) == [("200 ok", b"hello\n")]


async def test_name_is_served_on_all_its_addresses(server: PageServer) -> None:
    """localhost is two addresses on most machines, with one port."""
    port = await server.start("localhost", 0)
    infos = await asyncio.get_running_loop().getaddrinfo("localhost", port, type=1)

    answered = 0
    for host in {str(info[4][0]) for info in infos}:
        try:
            answered += await ask(port, get("/"), host=host) == [("200 ok", b"hello\n")]
        except OSError:
            assert host == "::1"  # A machine without IPv6.
    assert answered >= 1


async def test_taken_port_is_an_error_and_leaves_nothing_open(server: PageServer) -> None:
    """Whoever starts it says which key to change."""
    other = PageServer({}, CLOCK, "other")
    port = await other.start("127.0.0.1", 0)

    with pytest.raises(OSError, match="in use") as caught:
        await server.start("127.0.0.1", port)
    assert caught.value.errno == errno.EADDRINUSE
    await other.stop(Deadline.after(1, CLOCK))
    assert await server.start("127.0.0.1", port) == port


async def test_stop_finishes_answers_and_closes_idle_connections(server: PageServer) -> None:
    """A scraper that keeps its connection does not hold the stop up."""
    going = asyncio.Event()

    async def slow() -> Response:
        await going.wait()
        return text_response(200, "late")

    own = PageServer({"/slow": slow}, CLOCK, "own")
    port = await own.start("127.0.0.1", 0)
    _, idle = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(ask(port, get("/slow")))
    await asyncio.sleep(0.05)
    stop = asyncio.create_task(own.stop(Deadline.after(10, CLOCK)))
    await asyncio.sleep(0)
    going.set()

    assert await answer == [("200 ok", b"late")]
    async with asyncio.timeout(5):
        await stop
    await own.stop(Deadline.after(1, CLOCK))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    idle.close()
