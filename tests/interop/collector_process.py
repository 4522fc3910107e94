"""A real Collector as a process of its own."""

import asyncio
import socket
from asyncio.subprocess import Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "perf/peers/bin/otelcol-peer"
LISTEN_TIMEOUT_S = 30.0
END_TIMEOUT_S = 20.0
_POLL_S = 0.05


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def running_collector(config: str, folder: Path, port: int) -> AsyncIterator[Process]:
    """A Collector that listens on *port*, told to drain at the end."""
    file = folder / "collector.yaml"
    file.write_text(config)
    with (folder / "collector.log").open("ab") as log:
        process = await create_subprocess_exec(
            str(PROGRAM), "--config", str(file), stdout=log, stderr=log
        )
    try:
        await _listening(process, port, folder / "collector.log")
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            async with asyncio.timeout(END_TIMEOUT_S):
                await process.wait()


async def _listening(process: Process, port: int, log: Path) -> None:
    for _ in range(round(LISTEN_TIMEOUT_S / _POLL_S)):
        assert process.returncode is None, _end_of(log)
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_POLL_S)
        else:
            writer.close()
            return
    raise AssertionError(f"the Collector does not listen:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]
