"""One line a second."""

from structlog.testing import capture_logs

from bridge.http2 import QuietLog
from bridge.testing import ManualClock


async def test_quiet_log_counts_what_it_leaves_out() -> None:
    """The first line of a second is written, the next one says how many were not."""
    clock = ManualClock()
    with capture_logs() as lines:
        log = QuietLog(clock, receiver="otlp")
        for _ in range(5):
            log.warning("broken")
        await clock.advance(1.0)
        log.warning("broken")

    assert [line["suppressed"] for line in lines] == [0, 4]
    assert lines[0]["receiver"] == "otlp"


def test_quiet_log_keeps_the_traceback() -> None:
    """Exceptions are logged with what led to them."""
    with capture_logs() as lines:
        log = QuietLog(ManualClock())
        try:
            raise ValueError("ours")
        except ValueError:
            log.exception("request_failed")

    assert lines[0]["exc_info"]
    assert lines[0]["log_level"] == "error"
