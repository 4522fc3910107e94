"""What the process costs: its time, its CPU, its memory."""

import os
import time
from pathlib import Path

from bridge.core import Clock, Metrics

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def show_process(metrics: Metrics, clock: Clock) -> None:
    """Register the figures of this process under the Collector's names."""
    started_s = clock.monotonic()
    metrics.gauge("otelcol_process_uptime", None, lambda: clock.monotonic() - started_s)
    metrics.gauge("otelcol_process_cpu_seconds", None, time.process_time)
    metrics.gauge("otelcol_process_memory_rss", None, resident_bytes)


def resident_bytes() -> float:
    """Resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
