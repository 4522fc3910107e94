"""The catalogue of encodings."""

import pytest

from bridge.core import Signal
from bridge.exporters.kafka.config import ENCODINGS
from bridge.exporters.kafka.encodings import encoder
from bridge.exporters.kafka.encodings.encoding import Encoded, encode_proto
from bridge.exporters.kafka.encodings.otlp_json import encode_json
from bridge.testing import trace_request
from bridge.wire import otlp_json


@pytest.mark.parametrize(
    ("signal", "name"),
    [(signal, name) for signal, names in ENCODINGS.items() for name in sorted(names)],
)
def test_every_encoding_of_the_configuration_exists(signal: Signal, name: str) -> None:
    """What validation lets through can be built."""
    assert callable(encoder(name, signal))


def test_unknown_encodings_have_no_encoder() -> None:
    """Also those of other signals."""
    for name, signal in (
        ("otlp_xml", Signal.TRACES),
        ("raw", Signal.TRACES),
        ("jaeger_json", Signal.LOGS),
    ):
        with pytest.raises(KeyError):
            encoder(name, signal)


def test_proto_is_the_request_and_json_its_translation() -> None:
    """One record each."""
    made = trace_request(2, 2)
    (record,) = encode_json(Signal.TRACES)(made.body, made.items)

    assert encode_proto(made.body, made.items) == [Encoded(made.body, made.items)]
    assert otlp_json.decode(Signal.TRACES, record.value) == made.body
    assert record.items == made.items
