"""Finding the decoder of an encoding; each is imported only when it is configured."""

from collections.abc import Callable
from functools import partial

from bridge.core import ConfigError, Malformed, Signal
from bridge.flow import SourceRecord

Decode = Callable[[SourceRecord], bytes]
"""Makes an OTLP request of a record; raises `Malformed` if it is not in the encoding."""


def find_decoder(signal: Signal, encoding: str) -> Decode:
    """
    The decoder of *encoding*, one of those that the configuration takes for *signal*.

    Raises:
        ConfigError: If there is none.
    """
    if encoding == "otlp_proto":
        return otlp_proto
    if encoding == "otlp_json":
        from bridge.wire.otlp_json import decode

        return lambda record: decode(signal, otlp_proto(record))
    if signal is Signal.LOGS:
        return _find_log_decoder(encoding)
    if signal is Signal.TRACES and encoding == "zipkin_json":
        from bridge.receivers.kafka.encodings.zipkin import from_zipkin_json

        return lambda record: from_zipkin_json(otlp_proto(record))
    if signal is Signal.TRACES and encoding == "jaeger_proto":
        from bridge.receivers.kafka.encodings.jaeger import from_jaeger_proto

        return lambda record: from_jaeger_proto(otlp_proto(record))
    raise ConfigError(f"encoding {encoding} is not supported for {signal.value}")


def _find_log_decoder(encoding: str) -> Decode:
    from bridge.receivers.kafka.encodings import log_bodies

    if encoding == "raw":
        return lambda record: log_bodies.from_raw(otlp_proto(record), record.timestamp)
    if encoding == "json":
        return lambda record: log_bodies.from_json(otlp_proto(record), record.timestamp)
    if encoding == "text" or encoding.startswith("text_"):
        charset = encoding.removeprefix("text").removeprefix("_") or "utf-8"
        to_request = partial(log_bodies.from_text, charset=charset)
        return lambda record: to_request(otlp_proto(record), record.timestamp)
    raise ConfigError(f"encoding {encoding} is not supported for logs")


def otlp_proto(record: SourceRecord) -> bytes:
    """
    The value as it is: an OTLP request already, or what another encoding is decoded from.

    Raises:
        Malformed: If there is none.
    """
    if record.value is None:
        raise Malformed("the record has no value")
    return record.value
