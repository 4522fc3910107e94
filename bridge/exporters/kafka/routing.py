"""Where a request goes: topic, headers and message key, from configuration, metadata and data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import re2
from google.protobuf.message import DecodeError

from bridge.core import Batch, Malformed, Metadata, Signal
from bridge.exporters.kafka.config import KafkaExporterConfig, SignalOptions
from bridge.kafka import Headers
from bridge.wire import split_by_resource

_RESOURCES_REMEMBERED = 4096  # A few hundred services, times their restarts.


@dataclass(frozen=True, slots=True)
class Route:
    """
    What records have in common that may share a batch or be packed together.

    `key` is the message key from metadata; `None` leaves it to the data.
    """

    signal: Signal
    topic: str
    headers: Headers
    key: bytes | None = None


class AllowedTopics:
    """The topics that data may choose: names, or regular expressions that begin with ``^``."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._names = frozenset(entry for entry in allowed if not entry.startswith("^"))
        # Senders choose the text that is matched: RE2 takes linear time whatever it is.
        self._patterns = [re2.compile(entry) for entry in allowed if entry.startswith("^")]

    def __contains__(self, topic: str) -> bool:
        return topic in self._names or any(one.search(topic) for one in self._patterns)


class Router:
    """
    Decides the route of each part of a request.

    Args:
        refused: Called with a topic that the data chose and `allowed_topics` does not allow.
    """

    def __init__(self, config: KafkaExporterConfig, refused: Callable[[Signal], None]) -> None:
        self._options = {signal: config.of(signal) for signal in Signal}
        self._attribute = config.topic_from_attribute
        self._allowed = AllowedTopics(config.allowed_topics)
        self._refused = refused
        self._fixed_headers: Headers = tuple(
            (header.name, header.value.get_secret_value().encode())
            for header in config.record_headers
        )
        self._metadata_headers = [(name, name.lower()) for name in config.include_metadata_keys]
        # Most configurations give all requests of a signal one route.
        self._plain = {
            signal: Route(signal, options.topic, self._fixed_headers)
            for signal, options in self._options.items()
            if not (
                self._attribute
                or config.include_metadata_keys
                or options.topic_from_metadata_key
                or options.message_key_from_metadata_key
            )
        }
        self._topic_of_resource = lru_cache(_RESOURCES_REMEMBERED)(self._read_topic)

    def plain(self, signal: Signal) -> Route | None:
        """The route of every request of *signal*, if the configuration decides alone."""
        return self._plain.get(signal)

    def route(self, batch: Batch) -> list[tuple[Route, bytes]]:
        """
        The parts of *batch* with their routes; the whole of it in one unless resources decide.

        Raises:
            Malformed: If resources must be read and cannot be.
        """
        plain = self._plain.get(batch.signal)
        if plain is not None:
            return [(plain, batch.body)]
        options = self._options[batch.signal]
        route = Route(
            batch.signal,
            options.topic,
            self._headers(batch.metadata),
            _first_value(batch.metadata, options.message_key_from_metadata_key),
        )
        chosen = self._topic_of_metadata(batch, options)
        if chosen:
            return [(replace(route, topic=chosen), batch.body)]
        if not self._attribute:
            return [(route, batch.body)]
        parts: list[tuple[Route, bytes]] = []
        for resource, body in split_by_resource(batch.body):
            wanted = self._topic_of_resource(resource)
            topic = self._checked(batch.signal, wanted) or options.topic
            parts.append((replace(route, topic=topic), body))
        return parts

    def _headers(self, metadata: Metadata) -> Headers:
        if not self._metadata_headers:
            return self._fixed_headers
        return self._fixed_headers + tuple(
            (name, value.encode())
            for name, key in self._metadata_headers
            for value in metadata.get(key, ())
        )

    def _topic_of_metadata(self, batch: Batch, options: SignalOptions) -> str:
        name = options.topic_from_metadata_key
        values = batch.metadata.get(name.lower(), ()) if name else ()
        return self._checked(batch.signal, values[0]) if values else ""

    def _checked(self, signal: Signal, topic: str) -> str:
        if not topic or topic in self._allowed:
            return topic
        self._refused(signal)
        return ""

    def _read_topic(self, resource: bytes) -> str:
        # Few need it: the messages stay out of a process that never looks into a resource.
        from opentelemetry.proto.resource.v1.resource_pb2 import Resource

        try:
            attributes = Resource.FromString(resource).attributes
        except DecodeError as error:
            raise Malformed("a resource is no valid protobuf") from error
        for attribute in attributes:
            if attribute.key == self._attribute:
                return str(attribute.value.string_value)
        return ""


def _first_value(metadata: Metadata, key: str) -> bytes | None:
    values = metadata.get(key.lower(), ()) if key else ()
    return values[0].encode() if values else None
