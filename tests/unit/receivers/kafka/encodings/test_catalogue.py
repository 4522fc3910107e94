"""Finding decoders."""

import pytest

from bridge.core import ConfigError, Malformed, Signal
from bridge.receivers.kafka.config import ENCODINGS
from bridge.receivers.kafka.encodings import find_decoder
from bridge.testing import trace_request
from bridge.wire.otlp_json import encode
from tests.unit.receivers.kafka.lanes import source_record


@pytest.mark.parametrize(
    ("signal", "encoding"),
    [(signal, encoding) for signal, names in ENCODINGS.items() for encoding in names],
)
def test_every_configurable_encoding_has_a_decoder(signal: Signal, encoding: str) -> None:
    """What the configuration takes can be read; a record without a value never can."""
    decode = find_decoder(signal, encoding)

    with pytest.raises(Malformed, match="no value"):
        decode(source_record(0, None))


def test_otlp_json_becomes_protobuf() -> None:
    """The JSON form of a request gives the request."""
    body = trace_request().body

    decoded = find_decoder(Signal.TRACES, "otlp_json")(
        source_record(0, encode(Signal.TRACES, body))
    )

    assert decoded == body


def test_text_charset_is_part_of_the_name() -> None:
    """``text_<charset>`` decodes in that charset."""
    decode = find_decoder(Signal.LOGS, "text_latin-1")

    assert "käse".encode() in decode(source_record(0, "käse".encode("latin-1")))


@pytest.mark.parametrize(
    ("signal", "encoding"), [(Signal.TRACES, "raw"), (Signal.LOGS, "zipkin_json")]
)
def test_unknown_encoding_is_refused(signal: Signal, encoding: str) -> None:
    """An encoding of another signal is none."""
    with pytest.raises(ConfigError, match=encoding):
        find_decoder(signal, encoding)
