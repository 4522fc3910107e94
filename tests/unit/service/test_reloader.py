"""SIGHUP: what is read, told and counted."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any, cast

import structlog

from bridge.config import ConfigErrors, LoadedConfig, Problem
from bridge.core import ConfigError
from bridge.service.reload_plan import ReloadPlan
from bridge.service.reloader import Reloader
from bridge.service.systemd import Systemd
from bridge.telemetry import MetricRegistry
from tests.unit.service.stand_ins import Source, config_of

CONFIG = """
receivers: {in: {}}
exporters: {out: {}}
service: {pipelines: {traces: {receivers: [in], exporters: [out]}}}
"""
PLAN = ReloadPlan(frozenset({"a", "b"}), frozenset({"b", "c"}), frozenset({"d"}))
EMPTY = ReloadPlan(frozenset(), frozenset(), frozenset({"d"}))


class Scene:
    """A reloader whose reading and applying end as told, one after the other."""

    def __init__(self, *ends: object, environment: dict[str, str] | None = None) -> None:
        self.metrics = MetricRegistry()
        self.ends = list(ends)
        self.now_s = 5.0
        self.systemd = Systemd(environment or {})
        self.reloader = Reloader(
            self._load, self._apply, self.metrics, self.systemd, lambda: self.now_s
        )

    async def hang_up(self, *, by_signal: bool = True) -> list[Any]:
        """One SIGHUP to this process, and the events that it causes."""
        with structlog.testing.capture_logs() as events:
            running = asyncio.create_task(self.reloader.run())
            self.now_s += 1
            if by_signal:
                os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(5):
                last = ("config_reloaded", "config_reload_unchanged", "config_reload_refused")
                while not events or events[-1]["event"] not in last:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            for _ in range(3):
                await asyncio.sleep(0)
            running.cancel()
            await asyncio.wait((running,))
        return list(events)

    def attempts(self) -> list[float]:
        """applied, unchanged, refused"""
        return [
            self.metrics.value("bridge_config_reload_attempts", {"result": result})
            for result in ("applied", "unchanged", "refused")
        ]

    def figures(self) -> tuple[float, float]:
        """Whether the last was successful, and when the last success was."""
        return (
            self.metrics.value("bridge_config_reload_last_successful"),
            self.metrics.value("bridge_config_reload_success_timestamp"),
        )

    def _load(self) -> LoadedConfig:
        if isinstance(self.ends[0], ConfigErrors):
            raise self.ends.pop(0)  # type: ignore[misc]
        return config_of(CONFIG, Source())

    async def _apply(self, config: LoadedConfig) -> ReloadPlan:
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return cast("ReloadPlan", end)


async def test_reload_tells_what_it_replaced_and_counts() -> None:
    """Names by what became of them."""
    scene = Scene(PLAN, EMPTY)
    assert scene.figures() == (1.0, 5.0)
    *_, told = await scene.hang_up()
    assert (told["event"], told["replaced"], told["added"], told["removed"], told["kept"]) == (
        "config_reloaded",
        ["b"],
        ["c"],
        ["a"],
        ["d"],
    )
    assert (await scene.hang_up())[-1]["event"] == "config_reload_unchanged"
    assert scene.attempts() == [1, 1, 0]
    assert scene.figures() == (1.0, 7.0)


async def test_refused_reload_tells_every_problem_and_keeps_the_time_of_the_last_good() -> None:
    """The fields are those of ``validate --output json``."""
    wrong = ConfigErrors([Problem("BR-1001", "no configuration is named", hint="add --config")])
    scene = Scene(wrong, ConfigError("port in use"), EMPTY)
    started, problem, refused = await scene.hang_up()

    assert started["event"] == "config_reload_started"
    assert (problem["event"], problem["code"], problem["fix"], problem["log_level"]) == (
        "config_problem",
        "BR-1001",
        "add --config",
        "error",
    )
    assert (refused["event"], refused["problems"]) == ("config_reload_refused", 1)
    assert (await scene.hang_up())[-1]["reason"] == "port in use"
    assert scene.attempts() == [0, 0, 2]
    assert scene.figures() == (0.0, 5.0)
    await scene.hang_up()
    assert scene.figures() == (1.0, 8.0)


async def test_reload_is_told_to_systemd(tmp_path: Path) -> None:
    """RELOADING=1 with the monotonic time, then READY=1: also after a refusal."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        scene = Scene(ConfigError("no"), environment=environment)
        await scene.hang_up()
        first, second = manager.recv(200).decode().splitlines()
        assert first == "RELOADING=1"
        name, _, microseconds = second.partition("=")
        assert name == "MONOTONIC_USEC"
        assert int(microseconds) > 1_000_000
        assert manager.recv(200) == b"READY=1"


async def test_signals_before_a_reload_begins_cause_one() -> None:
    """Three signals while starting are one reload."""
    scene = Scene(EMPTY)
    for _ in range(3):
        scene.reloader.ask()
    await scene.hang_up(by_signal=False)
    assert scene.attempts() == [0, 1, 0]
