"""Logs: constant event names with key-value pairs, for people or for machines."""

import logging
import os
import sys

import structlog

from bridge.config import LogSettings
from bridge.telemetry.events import keep_event

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
# Our dependencies tell the same story as our own events, once per attempt: only what is worse.
_FOREIGN = {
    "aiokafka": logging.CRITICAL,
    "kafka": logging.CRITICAL,
    "aiohttp": logging.ERROR,
    "asyncio": logging.ERROR,
    "hpack": logging.ERROR,
}

# Local variables stay out of tracebacks: those of a Kafka client hold the password in clear.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure_logging(options: LogSettings) -> None:
    """
    Send everything to standard error, ours through structlog and the libraries' through `logging`.

    Colours only on a terminal and never with ``NO_COLOR``. At level debug the libraries speak too.
    """
    level = _LEVELS[options.level]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        keep_event,
    ]
    renderer: structlog.typing.Processor
    if options.encoding == "json":
        shared.append(_TRACEBACKS)
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=_wants_colours(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, quiet in _FOREIGN.items():
        logging.getLogger(name).setLevel(level if level == logging.DEBUG else quiet)


def _wants_colours() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
