"""Logs for people and for machines."""

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from bridge.config import LogSettings
from bridge.telemetry import configure_logging


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_json_logs_are_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Own events and those of libraries come in the same form, on standard error."""
    configure_logging(LogSettings(encoding="json"))
    structlog.get_logger().info("service_started", pipelines=["traces"])
    logging.getLogger("some.library").warning("careful")
    captured = capsys.readouterr()
    first, second = map(json.loads, captured.err.splitlines())

    assert captured.out == ""
    assert (first["event"], first["pipelines"], first["level"]) == (
        "service_started",
        ["traces"],
        "info",
    )
    assert (second["event"], second["logger"]) == ("careful", "some.library")


def test_level_hides_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    """At warn, an info event is not written."""
    configure_logging(LogSettings(level="warn"))
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")

    assert "quiet" not in (text := capsys.readouterr().err)
    assert "loud" in text


def test_console_has_no_colours_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape codes are for terminals."""
    configure_logging(LogSettings())
    structlog.get_logger().error("plain", reason="x")

    assert "\x1b" not in (text := capsys.readouterr().err)
    assert "plain" in text


@pytest.mark.parametrize("encoding", ["console", "json"])
@pytest.mark.parametrize("own", [True, False])
def test_tracebacks_show_no_local_variables(
    capsys: pytest.CaptureFixture[str], encoding: Literal["console", "json"], own: bool
) -> None:
    """Those of a Kafka client hold the password in clear."""
    configure_logging(LogSettings(encoding=encoding))
    password = "-".join(("canary", "9f3a"))
    try:
        raise ValueError("told")
    except ValueError:
        if own:
            structlog.get_logger().exception("failed")
        else:
            logging.getLogger("some.library").exception("failed")
    text = capsys.readouterr().err

    assert "told" in text
    assert password not in text
