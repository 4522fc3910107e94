"""The gRPC port against h2spec, if it is installed (`go install .../h2spec@v2.2.1`)."""

import asyncio
import os
import re
import shutil

import pytest

from tests.unit.receivers.otlp.clients import running

H2SPEC = os.environ.get("H2SPEC") or shutil.which("h2spec")


@pytest.mark.slow
@pytest.mark.skipif(H2SPEC is None, reason="h2spec is not on the path, nor named by H2SPEC")
async def test_every_case_of_h2spec_passes() -> None:
    """All 145; none is skipped."""
    assert H2SPEC is not None
    async with running() as run:
        host, port = run.receiver.endpoints()["grpc"]
        process = await asyncio.create_subprocess_exec(
            H2SPEC, "-h", host, "-p", str(port), "-o", "2", stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()

    summary = re.search(rb"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", output)
    assert summary is not None
    assert [int(number) for number in summary.groups()] == [145, 145, 0, 0], output.decode()[-4000:]
