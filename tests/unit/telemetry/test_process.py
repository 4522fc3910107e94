"""What the process costs."""

from bridge.core import SystemClock
from bridge.telemetry import MetricRegistry
from bridge.telemetry.process import resident_bytes, show_process


def test_process_figures_are_shown() -> None:
    """Time, CPU and memory are read when somebody looks."""
    metrics = MetricRegistry()
    show_process(metrics, SystemClock())

    assert metrics.value("otelcol_process_uptime") >= 0
    assert metrics.value("otelcol_process_cpu_seconds") > 0
    assert metrics.value("otelcol_process_memory_rss") > 10_000_000
    assert resident_bytes() > 10_000_000
