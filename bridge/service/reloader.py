"""SIGHUP: the config is read anew and taken over as a whole, or not at all."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

import structlog

from bridge.config import ConfigErrors, LoadedConfig, Problem, render_json
from bridge.core import ConfigError, Metrics
from bridge.service.reload_plan import ReloadPlan
from bridge.service.systemd import READY, Systemd, reloading

log = structlog.get_logger()

Load = Callable[[], LoadedConfig]

PROBLEMS_LOGGED_MAX = 50
"""Of a config that was refused; ``otlp-bridge validate`` shows all."""


class Reloader:
    """
    Reads the config at every SIGHUP, and has it taken over. To be made within the running loop.

    Args:
        load:
            Reads and checks the config. Runs in a thread: it reads files and takes a moment.
        apply:
            Makes the service run what was read; raises `ConfigError` if it cannot and did not.
        wall:
            Seconds since the epoch; replaced in tests.
    """

    def __init__(
        self,
        load: Load,
        apply: Callable[[LoadedConfig], Awaitable[ReloadPlan]],
        metrics: Metrics,
        systemd: Systemd,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._load = load
        self._apply = apply
        self._systemd = systemd
        self._wall = wall
        self._asked = asyncio.Event()
        # At once, so that a signal during the start is kept rather than fatal.
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.ask)
        self._attempts = {
            result: metrics.counter("bridge_config_reload_attempts", {"result": result})
            for result in ("applied", "unchanged", "refused")
        }
        # What changes: how the last attempt ended, and when the running config was taken.
        self._successful, self._success_s = True, wall()
        metrics.gauge("bridge_config_reload_last_successful", None, lambda: float(self._successful))
        metrics.gauge("bridge_config_reload_success_timestamp", None, lambda: self._success_s)

    def ask(self) -> None:
        """Reload soon; asked again before it begins, it reloads once."""
        self._asked.set()

    async def run(self) -> None:
        """
        Reload whenever asked, until cancelled.

        Raises:
            ReloadFailed: If neither the new config runs nor the old one.
        """
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._systemd.tell(reloading())
            await self._reload()
            self._systemd.tell(READY)

    async def _reload(self) -> None:
        log.info("config_reload_started")
        began_s = time.monotonic()
        try:
            config = await asyncio.to_thread(self._load)
            plan = await self._apply(config)
        except ConfigErrors as errors:
            self._refuse("the configuration is not valid", errors.problems)
            return
        except ConfigError as error:
            self._refuse(str(error))
            return
        self._attempts["unchanged" if plan.empty else "applied"].add()
        self._successful, self._success_s = True, self._wall()
        _log_problems(config.warnings)
        if plan.empty:
            log.info("config_reload_unchanged")
            return
        log.info(
            "config_reloaded",
            replaced=sorted(plan.start & plan.stop),
            added=sorted(plan.start - plan.stop),
            removed=sorted(plan.stop - plan.start),
            kept=sorted(plan.keep),
            took_s=round(time.monotonic() - began_s, 3),
        )

    def _refuse(self, reason: str, problems: tuple[Problem, ...] = ()) -> None:
        self._attempts["refused"].add()
        self._successful = False
        _log_problems(problems)
        log.error(
            "config_reload_refused",
            reason=reason,
            problems=len(problems),
            note="the former configuration goes on",
        )


def _log_problems(problems: tuple[Problem, ...]) -> None:
    """One event for each, with the fields of ``otlp-bridge validate --output json``."""
    for problem, told in zip(
        problems[:PROBLEMS_LOGGED_MAX], render_json(problems[:PROBLEMS_LOGGED_MAX]), strict=True
    ):
        write = log.error if problem.is_error else log.warning
        write("config_problem", **{key: value for key, value in told.items() if value})
