"""OTLP/JSON."""

from bridge.core import Signal
from bridge.exporters.kafka.encodings.encoding import Encode, Encoded
from bridge.wire import otlp_json


def encode_json(signal: Signal) -> Encode:
    """An encoding that writes each request as one OTLP/JSON document."""

    def encode(body: bytes, items: int) -> list[Encoded]:
        return [Encoded(otlp_json.encode(signal, body), items)]

    return encode
