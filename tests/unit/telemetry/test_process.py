"""What the process costs."""

import asyncio
from pathlib import Path

from bridge.core import SystemClock
from bridge.telemetry import MetricRegistry
from bridge.telemetry.process import open_files, resident_bytes, show_process, tasks


def test_process_figures_are_shown() -> None:
    """Time, CPU and memory are read when somebody looks."""
    metrics = MetricRegistry()
    show_process(metrics, SystemClock())

    assert metrics.value("otelcol_process_uptime") >= 0
    assert metrics.value("otelcol_process_cpu_seconds") > 0
    assert metrics.value("otelcol_process_memory_rss") > 10_000_000
    assert resident_bytes() > 10_000_000


def test_open_files_are_counted(tmp_path: Path) -> None:
    """One more while one more is open."""
    before = open_files()
    with (tmp_path / "file").open("w"):
        assert open_files() == before + 1
    assert open_files() == before


async def test_tasks_are_counted_until_they_end() -> None:
    """A task that waits counts, one that ended does not."""
    metrics, go = MetricRegistry(), asyncio.Event()
    show_process(metrics, SystemClock())
    before = tasks()
    task = asyncio.create_task(go.wait())

    assert metrics.value("bridge_process_tasks") == before + 1
    go.set()
    await task
    assert tasks() == before


def test_tasks_without_a_loop_are_none() -> None:
    """As when figures are read at the end of the process."""
    assert tasks() == 0
