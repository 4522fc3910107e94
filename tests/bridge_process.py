"""Bridges and backends as processes of their own, for tests that end them."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = os.environ.get("OTLP_BRIDGE") or str(Path(sys.executable).with_name("otlp-bridge"))
"""The command under test; the variable names another installation, such as a built wheel's."""

READY_TIMEOUT_S = 30.0
END_TIMEOUT_S = 40.0
_POLL_S = 0.05


@dataclass(slots=True)
class BridgeProcess:
    """
    One ``otlp-bridge run``, in *folder*.

    Args:
        config: The YAML, written to a file in *folder*.
        name: Of the files it leaves there; its output is in ``<name>.log``.
    """

    config: str
    folder: Path
    name: str = "bridge"
    arguments: Sequence[str] = ()
    process: Process | None = None
    endpoints: dict[str, str] = field(default_factory=dict)

    async def start(self) -> None:
        """Start, and wait until it listens."""
        file, ready = self.folder / f"{self.name}.yaml", self.folder / f"{self.name}.ready"
        file.write_text(self.config)
        ready.unlink(missing_ok=True)
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = await create_subprocess_exec(
                PROGRAM,
                "run",
                "--config",
                str(file),
                "--ready-file",
                str(ready),
                *self.arguments,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        for _ in range(round(READY_TIMEOUT_S / _POLL_S)):
            if ready.exists():
                self.endpoints = json.loads(ready.read_text())["endpoints"]
                return
            assert self.process.returncode is None, self.output
            await asyncio.sleep(_POLL_S)
        raise AssertionError(f"{self.name} is not ready:\n{self.output}")

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.returncode is None

    @property
    def output(self) -> str:
        """The end of what it printed, over all its lives."""
        return (self.folder / f"{self.name}.log").read_text(errors="replace")[-6000:]

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the running process."""
        assert self.process is not None
        self.process.send_signal(number)

    async def wait(self, timeout_s: float = END_TIMEOUT_S) -> int:
        """The exit code, once it ended by itself."""
        assert self.process is not None
        try:
            async with asyncio.timeout(timeout_s):
                return await self.process.wait()
        except TimeoutError:
            raise AssertionError(f"{self.name} did not end:\n{self.output}") from None

    async def check_ledger(self) -> None:
        """Every item is in one column, or in flight: now, whatever is going on."""
        if "metrics" not in self.endpoints:
            return
        figures = await scrape(self.endpoints["metrics"])
        shown = {name: value for name, value in figures.items() if "bridge_ledger_" in name}
        off = [name for name, value in shown.items() if "imbalance" in name and value]
        assert not off, f"{self.name}: the ledger does not balance: {off}\n{shown}"

    async def stop(self) -> int:
        """Ask it to drain, and give its exit code."""
        await self.check_ledger()
        self.send_signal(signal.SIGTERM)
        return await self.wait()

    async def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def running_bridge(
    config: str, folder: Path, name: str = "bridge", *, arguments: Sequence[str] = ()
) -> AsyncIterator[BridgeProcess]:
    """A bridge that listens, ended for certain."""
    bridge = BridgeProcess(config, folder, name, arguments)
    try:
        await bridge.start()
        yield bridge
        if bridge.runs:
            await bridge.check_ledger()
    finally:
        await bridge.kill()


async def scrape(address: str) -> dict[str, float]:
    """All series of ``/metrics`` at *address*, by name with labels."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/metrics") as response,
    ):
        text = await response.text()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines if name}


def total(figures: dict[str, float], name: str) -> float:
    """The sum of all series of one name."""
    return sum(value for key, value in figures.items() if key.partition("{")[0] == name)


@dataclass(slots=True)
class BackendProcess:
    """The OTLP backend of the testing kit in a process of its own."""

    grpc: str
    http: str
    session: aiohttp.ClientSession

    async def summary(self) -> dict[str, Any]:
        """Counts so far."""
        async with self.session.get(f"http://{self.http}/control/summary") as response:
            found: dict[str, Any] = await response.json()
            return found

    async def span_ids(self) -> list[bytes]:
        """The id of every span, once for each time it came."""
        async with self.session.get(f"http://{self.http}/control/span_ids") as response:
            ids = await response.read()
        return [ids[at : at + 24] for at in range(0, len(ids), 24)]

    async def answer(self, **otherwise: object) -> None:
        """Answer all requests from now on with these fields of `Answer`."""
        url = f"http://{self.http}/control/answer"
        async with self.session.post(url, json={"otherwise": otherwise}) as response:
            assert response.status == 200

    async def wait_spans(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until *count* different spans came; after the timeout, return all the same."""
        for _ in range(round(timeout_s / _POLL_S)):
            if (await self.summary())["spans"] >= count:
                return
            await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def running_backend() -> AsyncIterator[BackendProcess]:
    """A backend that listens."""
    command = (sys.executable, "-m", "bridge.testing.backend")
    process = await create_subprocess_exec(*command, stdout=PIPE, env=os.environ)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(READY_TIMEOUT_S):
            where = json.loads(await process.stdout.readline())
        async with aiohttp.ClientSession() as session:
            yield BackendProcess(where["grpc"], where["http"], session)
    finally:
        process.kill()
        await process.wait()
