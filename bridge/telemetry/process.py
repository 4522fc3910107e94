"""What the process costs: its time, its CPU, its memory, its tasks and files."""

import asyncio
import os
import time
from pathlib import Path

from bridge.core import Clock, Metrics

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def show_process(metrics: Metrics, clock: Clock) -> None:
    """Register the figures of this process, under the Collector's names where it has any."""
    started_s = clock.monotonic()
    metrics.gauge("otelcol_process_uptime", None, lambda: clock.monotonic() - started_s)
    metrics.gauge("otelcol_process_cpu_seconds", None, time.process_time)
    metrics.gauge("otelcol_process_memory_rss", None, resident_bytes)
    metrics.gauge("bridge_process_tasks", None, tasks)
    metrics.gauge("bridge_process_open_files", None, open_files)


def resident_bytes() -> float:
    """Resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def open_files() -> float:
    """Open files and sockets of this process."""
    return len(os.listdir("/proc/self/fd")) - 1  # The listing itself is one.


def tasks() -> float:
    """Tasks of the running event loop that have not ended; 0 without a loop."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0
