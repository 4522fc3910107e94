"""The demo as a user starts it."""

import asyncio
import json
import signal
import urllib.request
from asyncio.subprocess import PIPE, create_subprocess_exec

import pytest

from tests.bridge_process import PROGRAM

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

DEMO_TIMEOUT_S = 60.0


async def test_demo_ends_with_nothing_missing() -> None:
    """The demo sends every signal over both transports and finds all of it at the backend."""
    process = await create_subprocess_exec(
        PROGRAM, "demo", "--traces", "100", "--output", "json", stdout=PIPE
    )
    async with asyncio.timeout(DEMO_TIMEOUT_S):
        output, _ = await process.communicate()

    told = json.loads(output)
    assert process.returncode == 0
    assert told["ok"]
    assert (told["traces"], told["spans_out"], told["spans_missing"]) == (100, 500, 0)
    assert told["requests_grpc"] > 0
    assert told["requests_http"] > 0
    assert told["traces_split"] == 0


async def test_demo_kept_takes_what_it_says_how_to_send() -> None:
    """With --keep it stays, and the request that it prints arrives at the backend."""
    process = await create_subprocess_exec(PROGRAM, "demo", "--traces", "5", "--keep", stdout=PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEMO_TIMEOUT_S):
            while not (line := await process.stdout.readline()).startswith(b"  curl"):
                assert line, "the demo ended"
            status = await asyncio.to_thread(_obey, line.decode())
            while b"at the backend: 1 more span" not in line:
                line = await process.stdout.readline()
                assert line, "the demo ended"
            process.send_signal(signal.SIGINT)
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert (status, code) == (200, 0)


def _obey(curl: str) -> int:
    """Send what a printed curl command would send."""
    words, _, data = curl.strip().partition(" -d '")
    url = next(word for word in words.split() if word.startswith("http://"))
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data.removesuffix("'").encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return int(response.status)
