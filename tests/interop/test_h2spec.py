"""The gRPC port against h2spec, which `make interop` builds."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.unit.receivers.otlp.clients import running

H2SPEC = Path(__file__).parents[2] / "perf/peers/bin/h2spec"


@pytest.mark.slow
async def test_every_case_of_h2spec_passes() -> None:
    """All 145; none is skipped."""
    async with running() as run:
        host, port = run.receiver.endpoints()["grpc"]
        process = await asyncio.create_subprocess_exec(
            str(H2SPEC), "-h", host, "-p", str(port), "-o", "2", stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()

    summary = re.search(rb"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", output)
    assert summary is not None
    assert [int(number) for number in summary.groups()] == [145, 145, 0, 0], output.decode()[-4000:]
