"""What a record's value can be, besides OTLP protobuf as it came."""

from functools import partial

from bridge.core import Signal
from bridge.exporters.kafka.encodings.encoding import Encode, Encoded, encode_proto
from bridge.wire import COPIED_BYTES_MAX

__all__ = ["Encode", "Encoded", "encode_proto", "encoder"]


def encoder(name: str, signal: Signal, copied_bytes_max: int = COPIED_BYTES_MAX) -> Encode:
    """
    The function that makes records of one signal in the encoding *name*.

    Args:
        copied_bytes_max:
            Bytes by which the records of one request may exceed it where each span repeats its
            resource, as Zipkin's and Jaeger's do.

    Raises:
        KeyError: If there is none.
    """
    # Imported when chosen: most installations write otlp_proto and nothing else.
    if name == "otlp_proto":
        return encode_proto
    if name == "otlp_json":
        from bridge.exporters.kafka.encodings.otlp_json import encode_json

        return encode_json(signal)
    if name == "raw" and signal is Signal.LOGS:
        from bridge.exporters.kafka.encodings.raw import encode_raw

        return encode_raw
    if signal is Signal.TRACES:
        if name == "zipkin_json":
            from bridge.exporters.kafka.encodings.zipkin import encode_zipkin_json

            return partial(encode_zipkin_json, copied_bytes_max=copied_bytes_max)
        if name == "jaeger_json":
            from bridge.exporters.kafka.encodings.jaeger import encode_jaeger_json

            return partial(encode_jaeger_json, copied_bytes_max=copied_bytes_max)
        if name == "jaeger_proto":
            from bridge.exporters.kafka.encodings.jaeger import encode_jaeger_proto

            return partial(encode_jaeger_proto, copied_bytes_max=copied_bytes_max)
    raise KeyError(name)
