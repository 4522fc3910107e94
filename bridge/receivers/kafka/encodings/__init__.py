"""What records may hold besides OTLP, and how it becomes OTLP. Pure."""

from bridge.receivers.kafka.encodings.catalogue import Decode, find_decoder, otlp_proto

__all__ = ["Decode", "find_decoder", "otlp_proto"]
